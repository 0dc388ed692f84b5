"""Reserving, committing and releasing what orders hold. Every step may be repeated for an order.

::

    reserve ──▶ reserved ──commit──▶ committed ──give_back──▶ less of it
                   ╰───────release───────╯──────▶ released

Counters change by guarded updates only: whether there is enough is decided by the statement that takes it. The
order's row is locked by the caller, so steps of one order never meet; counters are taken in one order everywhere
(`kinds.ORDER`), so orders never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, tuple_, update

from admin.catalog.tables import products
from admin.reservations.kinds import KINDS, ORDER, Kind
from admin.reservations.tables import reservations, tallies

# The same words in both databases. The first of a subject makes the row.
_TAKE = text("""
    INSERT INTO tallies (kind, subject, owner, reserved, committed) VALUES (:kind, :subject, :owner, :amount, 0)
    ON CONFLICT (kind, subject, owner) DO UPDATE SET reserved = tallies.reserved + :amount
    WHERE tallies.reserved + tallies.committed + :amount <= :limit
""")
NO_LIMIT = 2**62
"""More than anything is ever counted to."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish for some of a thing; `limit` is all there may be of it, None where nothing limits it.

    The limit of stock is what the product has free.
    """

    kind: Kind
    subject: str
    amount: int
    limit: int | None = None
    owner: str = ""

    @property
    def rank(self) -> tuple[int, str, str]:
        """Its place in the order of locking."""
        return ORDER[self.kind], self.subject, self.owner


class Short(Exception):
    """Too little is left of something; the transaction, or its savepoint, must be rolled back."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"too little is left of {claim.kind} {claim.subject}")
        self.claim = claim


def reserve(connection: Connection, order_no: str, claims: Iterable[Claim]) -> None:
    """Take everything that an order needs, or nothing.

    What the order holds already is not taken again. Claims on one thing are added up by the caller.

    Raises:
        Short: the first thing, in the order of locking, of which too little is left.
    """
    wanted = sorted((claim for claim in claims if claim.amount), key=lambda claim: claim.rank)
    held = {(row.kind, row.subject, row.owner) for row in of_order(connection, order_no)}
    taken = [claim for claim in wanted if (claim.kind, claim.subject, claim.owner) not in held]
    for claim in taken:
        if not _take(connection, claim):
            raise Short(claim)
    if taken:
        connection.execute(
            insert(reservations),
            [
                {
                    "order_no": order_no,
                    "kind": claim.kind,
                    "subject": claim.subject,
                    "owner": claim.owner,
                    "amount": claim.amount,
                    "state": "reserved",
                }
                for claim in taken
            ],
        )


def _take(connection: Connection, claim: Claim) -> bool:
    if claim.kind == "stock":
        taken = connection.execute(
            update(products)
            .where(products.c.sku == claim.subject, products.c.stock - products.c.reserved >= claim.amount)
            .values(reserved=products.c.reserved + claim.amount)
        )
        return bool(taken.rowcount)
    limit = NO_LIMIT if claim.limit is None else claim.limit
    if claim.amount > limit:
        return False
    taken = connection.execute(
        _TAKE,
        {
            "kind": claim.kind,
            "subject": claim.subject,
            "owner": claim.owner,
            "amount": claim.amount,
            "limit": limit,
        },
    )
    return bool(taken.rowcount)


def commit(connection: Connection, order_no: str, *, stock: bool = True) -> None:
    """What the order has reserved is paid for, and stock leaves the shop.

    Without `stock` that stays reserved: for orders that are paid and may still fall through.
    """
    kinds = None if stock else tuple(kind for kind in KINDS if kind != "stock")
    for row in _turn(connection, order_no, ("reserved",), "committed", kinds):
        if row.kind == "stock":
            _change_stock(connection, row, stock=-row.amount, reserved=-row.amount)
        else:
            _change(connection, row, reserved=-row.amount, committed=row.amount)


def release(connection: Connection, order_no: str, *, kinds: Iterable[Kind] | None = None) -> None:
    """Give back what the order holds of some kinds, by default of all: it is over, or paid back in full.

    Stock that was paid for stays gone; `restock` brings it back.
    """
    some = None if kinds is None else tuple(kinds)
    held = [(row, True) for row in _turn(connection, order_no, ("reserved",), "released", some)]
    held += [(row, False) for row in _turn(connection, order_no, ("committed",), "released", some)]
    # What a paid order still has reserved is stock, and that is locked last.
    for row, unpaid in sorted(held, key=lambda each: _rank(each[0])):
        if row.kind != "stock":
            _change(connection, row, **{"reserved" if unpaid else "committed": -row.amount})
        elif unpaid:
            _change_stock(connection, row, reserved=-row.amount)


def give_back(connection: Connection, order_no: str, kind: Kind, subject: str, amount: int) -> None:
    """Give back a part of what the order has paid for, such as the budget of some of its units."""
    if not amount:
        return
    these = (
        reservations.c.order_no == order_no,
        reservations.c.kind == kind,
        reservations.c.subject == subject,
        reservations.c.state == "committed",
        reservations.c.amount >= amount,
    )
    row = connection.execute(
        update(reservations).where(*these).values(amount=reservations.c.amount - amount).returning(reservations)
    ).one_or_none()
    if row is not None:
        _change(connection, row, committed=-amount)


def restock(connection: Connection, units: Mapping[str, int]) -> None:
    """Units that had left come back into the free stock. A product that was deleted since is no error."""
    for sku in sorted(units):
        connection.execute(
            update(products).where(products.c.sku == sku).values(stock=products.c.stock + units[sku])
        )


def of_order(connection: Connection, order_no: str) -> Sequence[Row[Any]]:
    """Everything that an order holds or has held."""
    return connection.execute(select(reservations).where(reservations.c.order_no == order_no)).all()


def used(connection: Connection, things: Iterable[tuple[Kind, str, str]]) -> dict[tuple[str, str, str], int]:
    """How much of some things (kind, subject, owner) is held, paid for or not; absent: nothing."""
    wanted = list(things)
    if not wanted:
        return {}
    key = tuple_(tallies.c.kind, tallies.c.subject, tallies.c.owner)
    rows = connection.execute(select(tallies).where(key.in_(wanted)))
    return {(row.kind, row.subject, row.owner): row.reserved + row.committed for row in rows}


def _turn(
    connection: Connection,
    order_no: str,
    before: tuple[str, ...],
    after: str,
    kinds: tuple[Kind, ...] | None = None,
) -> list[Row[Any]]:
    """Bring the order's reservations from one state to another; those it concerned, in the order of locking."""
    statement = update(reservations).where(reservations.c.order_no == order_no, reservations.c.state.in_(before))
    if kinds is not None:
        statement = statement.where(reservations.c.kind.in_(kinds))
    rows = connection.execute(statement.values(state=after).returning(reservations)).all()
    return sorted(rows, key=_rank)


def _rank(row: Row[Any]) -> tuple[int, str, str]:
    return ORDER[row.kind], row.subject, row.owner


def _change(connection: Connection, row: Row[Any], *, reserved: int = 0, committed: int = 0) -> None:
    connection.execute(
        update(tallies)
        .where(tallies.c.kind == row.kind, tallies.c.subject == row.subject, tallies.c.owner == row.owner)
        .values(reserved=tallies.c.reserved + reserved, committed=tallies.c.committed + committed)
    )


def _change_stock(connection: Connection, row: Row[Any], *, stock: int = 0, reserved: int = 0) -> None:
    connection.execute(
        update(products)
        .where(products.c.sku == row.subject)
        .values(stock=products.c.stock + stock, reserved=products.c.reserved + reserved)
    )

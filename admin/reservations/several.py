"""Reserving for several orders in one transaction.

What they count on is locked first, all of it in the order of locking, so what is left can be dealt out here, order
by order: one of which too little is left takes nothing, and the others are none the worse. Then each counter
changes once, by a guarded update as always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import (
    Connection,
    bindparam,
    collate,
    select,
    text,
    tuple_,
    update,
)

from admin.catalog.tables import products
from admin.reservations.ledger import NO_LIMIT, Claim
from admin.reservations.tables import reservations, tallies
from gateway.orders import bulk

_Key = tuple[str, str, str]
# Makes the row if it is not there, and else only locks it. The same words in both databases.
_LOCK = text("""
    INSERT INTO tallies (kind, subject, owner, reserved, committed) VALUES (:kind, :subject, :owner, 0, 0)
    ON CONFLICT (kind, subject, owner) DO UPDATE SET reserved = tallies.reserved WHERE 1 = 0
""")
_TAKE_STOCK = (
    update(products)
    .where(products.c.sku == bindparam("of"), products.c.stock - products.c.reserved >= bindparam("amount"))
    .values(reserved=products.c.reserved + bindparam("amount"))
)
_TAKE = (
    update(tallies)
    .where(
        tallies.c.kind == bindparam("of_kind"),
        tallies.c.subject == bindparam("of_subject"),
        tallies.c.owner == bindparam("of_owner"),
        tallies.c.reserved + tallies.c.committed + bindparam("amount") <= bindparam("at_most"),
    )
    .values(reserved=tallies.c.reserved + bindparam("amount"))
)


class Dealing:
    """Deals out what some orders count on, within one writing transaction that has not taken anything yet."""

    def __init__(self, connection: Connection, claims: Iterable[Claim]) -> None:
        """Lock all that orders with these claims could take."""
        self._connection = connection
        wanted = {_key(claim): claim for claim in claims if claim.amount}
        in_order = sorted(wanted, key=lambda key: wanted[key].rank)
        self._used = _lock_tallies(connection, [key for key in in_order if key[0] != "stock"])
        self._free = _lock_stock(connection, [subject for kind, subject, _ in in_order if kind == "stock"])
        self._taken: dict[str, Sequence[Claim]] = {}

    def take(self, order_no: str, claims: Iterable[Claim]) -> Claim | None:
        """Take everything that a new order needs, or nothing; the first thing of which too little is left."""
        wanted = sorted((claim for claim in claims if claim.amount), key=lambda claim: claim.rank)
        for claim in wanted:
            if claim.amount > self._left(claim):
                return claim
        for claim in wanted:
            if claim.kind == "stock":
                self._free[claim.subject] -= claim.amount
            else:
                self._used[_key(claim)] += claim.amount
        self._taken[order_no] = wanted
        return None

    def _left(self, claim: Claim) -> int:
        if claim.kind == "stock":
            return self._free.get(claim.subject, 0)
        return (NO_LIMIT if claim.limit is None else claim.limit) - self._used[_key(claim)]

    def write(self) -> None:
        """Write down what was taken."""
        amounts: dict[_Key, int] = defaultdict(int)
        limits: dict[_Key, int] = {}
        rows = []
        for order_no, claims in self._taken.items():
            for claim in claims:
                key = _key(claim)
                amounts[key] += claim.amount
                # Orders of one moment know the same limit.
                limits[key] = NO_LIMIT if claim.limit is None else claim.limit
                rows.append((order_no, claim.kind, claim.subject, claim.owner, claim.amount, "reserved"))
        stock = [
            {"of": subject, "amount": amount} for (kind, subject, _), amount in amounts.items() if kind == "stock"
        ]
        others = [
            {"of_kind": kind, "of_subject": subject, "of_owner": owner, "amount": amount, "at_most": limits[key]}
            for key, amount in amounts.items()
            for kind, subject, owner in (key,)
            if kind != "stock"
        ]
        for statement, each in ((_TAKE, others), (_TAKE_STOCK, stock)):
            if each:
                changed = self._connection.execute(statement, each).rowcount
                assert changed == len(each), "what was locked has changed all the same"
        if rows:
            bulk.insert(self._connection, reservations, rows, skip=False)


def _key(claim: Claim) -> _Key:
    return claim.kind, claim.subject, claim.owner


def _lock_tallies(connection: Connection, keys: Sequence[_Key]) -> dict[_Key, int]:
    """How much of each is held; one after the other, as a row that is not there has its turn in the order, too."""
    if not keys:
        return {}
    connection.execute(_LOCK, [{"kind": kind, "subject": subject, "owner": owner} for kind, subject, owner in keys])
    rows = connection.execute(
        select(tallies).where(tuple_(tallies.c.kind, tallies.c.subject, tallies.c.owner).in_(keys))
    )
    return {(row.kind, row.subject, row.owner): row.reserved + row.committed for row in rows}


def _lock_stock(connection: Connection, skus: Sequence[str]) -> dict[str, int]:
    # In the order that Python sorts them in, whatever the database's language is.
    by_sku = products.c.sku if connection.dialect.name == "sqlite" else collate(products.c.sku, "C")
    rows = connection.execute(
        select(products.c.sku, (products.c.stock - products.c.reserved).label("free"))
        .where(products.c.sku.in_(skus))
        .order_by(by_sku)
        .with_for_update()
    )
    return {row.sku: row.free for row in rows}

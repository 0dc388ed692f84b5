"""What the ledger says of an offer: its row, what shoppers hold, which orders it knows.

A unit is held from the moment its order is written until the order gives it back. One that was refunded and not
given back stays held: Redis keeps its ticket, and its number is not sold again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, Select, and_, false, func, select

from gateway.orders.database import reading, writing
from gateway.orders.message import Ticket
from gateway.orders.tables import offers, order_units, orders, stock_operations, unit_releases

PAGE = 500
"""Order numbers asked for in one statement, and rows fetched at once."""

Holding = tuple[str, Ticket]
"""A shopper and one of their tickets."""


class Held(NamedTuple):
    """How many units of an offer are held, and the highest number that an order ever had; 0 for none."""

    units: int
    top: int


@contextmanager
def locked(engine: Engine, offer: str) -> Iterator[tuple[Connection, Row[Any] | None]]:
    """A writing transaction that alone may change the offer's row, and that row.

    Nobody writes orders of the offer, gives units back or decides a stock operation meanwhile.
    """
    with writing(engine) as connection:
        # In the order in which the sidecar takes them, so that neither waits for the other forever.
        connection.execute(
            select(stock_operations.c.operation_id)
            .where(stock_operations.c.offer == offer, stock_operations.c.state == "pending")
            .order_by(stock_operations.c.operation_id)
            .with_for_update()
        )
        yield (
            connection,
            connection.execute(select(offers).where(offers.c.id == offer).with_for_update()).one_or_none(),
        )


def held(connection: Connection, offer: str) -> Held:
    """Units held of an offer."""
    # By way of the orders, which have an index by offer for all states.
    of_offer = (
        select(
            func.coalesce(func.max(order_units.c.unit), 0), func.count().filter(order_units.c.released == false())
        )
        .join(orders, orders.c.order_no == order_units.c.order_no)
        .where(orders.c.offer == offer)
    )
    top, count = connection.execute(of_offer).one()
    return Held(int(count), int(top))


def held_tickets(connection: Connection, offer: str) -> Iterator[Holding]:
    """Every ticket that is held, by shopper and in order of winning; without the units given back."""
    of_offer = (
        _units()
        .where(orders.c.offer == offer)
        .order_by(orders.c.shopper, orders.c.won_at_ms, orders.c.order_no, order_units.c.unit)
    )
    return _grouped(connection.execute(of_offer.execution_options(yield_per=PAGE)))


def tickets(connection: Connection, order_nos: Collection[str]) -> dict[str, Holding]:
    """Order number → what is held of some orders; those that have given back everything are missing."""
    found: dict[str, Holding] = {}
    for page in _pages(order_nos):
        rows = connection.execute(
            _units().where(orders.c.order_no.in_(page)).order_by(orders.c.order_no, order_units.c.unit)
        )
        found |= {holding[1].order_no: holding for holding in _grouped(rows)}
    return found


def _units() -> Select[Any]:
    return select(
        orders.c.shopper,
        orders.c.order_no,
        orders.c.price,
        orders.c.pay_by_ms,
        orders.c.won_at_ms,
        orders.c.key,
        order_units.c.unit,
        order_units.c.slot,
    ).join(order_units, and_(order_units.c.order_no == orders.c.order_no, order_units.c.released == false()))


def _grouped(rows: Any) -> Iterator[Holding]:
    order: Any = None
    units: list[int] = []
    slots: list[int] = []
    for row in rows:
        if order is None or row.order_no != order.order_no:
            if order is not None:
                yield _holding(order, units, slots)
            order, units, slots = row, [], []
        units.append(row.unit)
        slots.append(row.slot)
    if order is not None:
        yield _holding(order, units, slots)


def _holding(row: Any, units: list[int], slots: list[int]) -> Holding:
    return row.shopper, Ticket(
        row.order_no, tuple(units), tuple(slots), row.price, row.pay_by_ms, row.won_at_ms, row.key
    )


def known(connection: Connection, order_nos: Collection[str]) -> set[str]:
    """Those of some order numbers that the ledger has."""
    found: set[str] = set()
    for page in _pages(order_nos):
        found.update(connection.execute(select(orders.c.order_no).where(orders.c.order_no.in_(page))).scalars())
    return found


def unknown(engine: Engine, order_nos: Collection[str]) -> set[str]:
    """Those of some order numbers that the ledger does not have."""
    if not order_nos:
        return set()
    with reading(engine) as connection:
        return set(order_nos) - known(connection, order_nos)


def waiting_releases(connection: Connection, offer: str) -> Sequence[Row[Any]]:
    """Rows of releases that Redis may not have heard of."""
    return connection.execute(
        select(unit_releases).where(unit_releases.c.offer == offer, unit_releases.c.done_at_ms.is_(None))
    ).all()


def _pages(order_nos: Collection[str]) -> Iterator[list[str]]:
    listed = list(order_nos)
    for start in range(0, len(listed), PAGE):
        yield listed[start : start + PAGE]

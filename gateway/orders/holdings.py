"""What the ledger says of an offer: its row, what shoppers hold, which orders it knows.

A unit is held from the moment its order is written until the order gives it back. One that was refunded and not
given back stays held: Redis keeps its ticket, and its number is not sold again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
    String,
    any_,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from gateway.orders.database import reading, writing
from gateway.orders.message import Ticket
from gateway.orders.tables import REFUNDED, offers, order_units, orders, stock_operations, unit_releases

PAGE = 1000
"""Order numbers asked for in one statement, and rows fetched at once."""

RANGES_TOGETHER = 50
"""Ranges of numbers asked for in one statement."""


class Holding(NamedTuple):
    """A shopper, one of their tickets, and the bucket in which they bought."""

    shopper: str
    ticket: Ticket
    bucket: int


class Held(NamedTuple):
    """How many units of an offer are held, and the highest number among them; 0 for none."""

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
    # One statement for each partial index and no join: right after a rush of sales the database's statistics are
    # those of an empty table, and with a join it may choose a plan that takes minutes.
    units, top = 0, 0
    for holds in (order_units.c.active == true(), REFUNDED):
        counted = select(func.count(), func.max(order_units.c.unit)).where(order_units.c.offer == offer, holds)
        count, highest = connection.execute(counted).one()
        units, top = units + count, max(top, highest or 0)
    return Held(units, top)


def held_tickets(connection: Connection, offer: str) -> Iterator[Holding]:
    """Every ticket that is held, by shopper and in order of winning; without the units given back."""
    columns = order_units.c.shopper, order_units.c.order_no, order_units.c.unit, order_units.c.slot
    halves = [
        select(*columns).where(order_units.c.offer == offer, holds)
        for holds in (order_units.c.active == true(), REFUNDED)
    ]
    both = union_all(*halves).subquery()
    rows = connection.execute(
        select(both).order_by(both.c.shopper, both.c.order_no, both.c.unit).execution_options(yield_per=PAGE)
    )
    with closing(rows):
        # Whole shoppers at a time, about a page of them.
        page: list[Any] = []
        for row in rows:
            if len(page) >= PAGE and row.shopper != page[-1].shopper:
                yield from _tickets(connection, page)
                page = []
            page.append(row)
        yield from _tickets(connection, page)


def tickets(connection: Connection, order_nos: Collection[str]) -> dict[str, Holding]:
    """Order number → what is held of some orders; those that have given back everything are missing."""
    found: dict[str, Holding] = {}
    for page in _pages(order_nos):
        rows = connection.execute(
            select(order_units)
            .where(_among(connection, order_units.c.order_no, page), order_units.c.released == false())
            .order_by(order_units.c.order_no, order_units.c.unit)
        ).all()
        found |= {holding.ticket.order_no: holding for holding in _tickets(connection, rows)}
    return found


def _tickets(connection: Connection, units: Sequence[Any]) -> list[Holding]:
    """The tickets of some units, which come by shopper and order."""
    found_orders = {
        row.order_no: row
        for page in _pages({unit.order_no for unit in units})
        for row in connection.execute(
            select(
                orders.c.order_no,
                orders.c.shopper,
                orders.c.price,
                orders.c.pay_by_ms,
                orders.c.won_at_ms,
                orders.c.key,
                orders.c.bucket,
            ).where(_among(connection, orders.c.order_no, page))
        )
    }
    found = []
    for order_no, group in groupby(units, key=lambda unit: unit.order_no):
        numbers, slots = zip(*((unit.unit, unit.slot) for unit in group), strict=True)
        order = found_orders[order_no]
        ticket = Ticket(order_no, numbers, slots, order.price, order.pay_by_ms, order.won_at_ms, order.key)
        found.append(Holding(order.shopper, ticket, order.bucket))
    # A shopper's tickets are in the order of winning, as in Redis.
    by_shopper = [list(group) for _, group in groupby(found, key=lambda holding: holding.shopper)]
    return [each for group in by_shopper for each in sorted(group, key=lambda holding: holding.ticket.won_at_ms)]


def buckets_of(connection: Connection, order_nos: Collection[str]) -> dict[str, int]:
    """Order number → bucket in which it was won, of those that the ledger has."""
    found: dict[str, int] = {}
    for page in _pages(order_nos):
        rows = connection.execute(
            select(orders.c.order_no, orders.c.bucket).where(_among(connection, orders.c.order_no, page))
        )
        found.update({row.order_no: row.bucket for row in rows})
    return found


def first_held(connection: Connection, offer: str, ranges: Sequence[tuple[int, int]]) -> int | None:
    """A unit within some ranges (first and last number) that somebody holds, if there is one."""
    for start in range(0, len(ranges), RANGES_TOGETHER):
        within = or_(*(order_units.c.unit.between(*each) for each in ranges[start : start + RANGES_TOGETHER]))
        for holds in (order_units.c.active == true(), REFUNDED):
            lowest = select(func.min(order_units.c.unit)).where(order_units.c.offer == offer, holds, within)
            unit: int | None = connection.execute(lowest).scalar_one()
            if unit is not None:
                return unit
    return None


def known(connection: Connection, order_nos: Collection[str]) -> set[str]:
    """Those of some order numbers that the ledger has."""
    found: set[str] = set()
    for page in _pages(order_nos):
        there = select(orders.c.order_no).where(_among(connection, orders.c.order_no, page))
        found.update(connection.execute(there).scalars())
    return found


def unknown(engine: Engine, order_nos: Collection[str]) -> set[str]:
    """Those of some order numbers that the ledger does not have."""
    if not order_nos:
        return set()
    with reading(engine) as connection:
        return set(order_nos) - known(connection, order_nos)


def pending_operations(connection: Connection, offer: str) -> Sequence[str]:
    """Stock operations that are not finished."""
    return (
        connection.execute(
            select(stock_operations.c.operation_id).where(
                stock_operations.c.offer == offer, stock_operations.c.state == "pending"
            )
        )
        .scalars()
        .all()
    )


def waiting_releases(connection: Connection, offer: str) -> Sequence[Row[Any]]:
    """Rows of releases that Redis may not have heard of."""
    return connection.execute(
        select(unit_releases).where(unit_releases.c.offer == offer, unit_releases.c.done_at_ms.is_(None))
    ).all()


def _among(connection: Connection, column: Column[str], values: list[str]) -> ColumnElement[bool]:
    """Whether a column has one of many values, which travel as one parameter: five times as quick as one each."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(values, ARRAY(String)))
    each = func.json_each(orjson.dumps(values).decode()).table_valued("value")
    return column.in_(select(each.c.value))


def _pages(order_nos: Collection[str]) -> Iterator[list[str]]:
    listed = list(order_nos)
    for start in range(0, len(listed), PAGE):
        yield listed[start : start + PAGE]

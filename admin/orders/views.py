"""Reading orders out of the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select, union_all

from admin.errors import NotFound
from admin.groups.tables import groups
from admin.orders import parts
from admin.orders.models import (
    Event,
    MyOrders,
    OrderChoice,
    OrderFilter,
    OrderInFull,
    OrderKind,
    OrderPage,
    Payment,
)
from admin.orders.tables import order_lines
from admin.paging import read_cursor, split, write_cursor
from admin.reservations.tables import reservations
from admin.resources import Resources
from gateway.orders.database import reading
from gateway.orders.tables import SECKILL, offers, order_events, orders

OPERATOR = "operator"


def by_operator(actor: str) -> str:
    """How an operator stands in an order's history."""
    return f"{OPERATOR} {actor}"


def page(resources: Resources, wanted: MyOrders | OrderFilter, *, shopper: str | None) -> OrderPage:
    """A page of orders, of one shopper or of all.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int, str)
    statement = (
        select(orders).order_by(orders.c.created_at_ms.desc(), orders.c.order_no.desc()).limit(wanted.limit + 1)
    )
    if position is not None:
        at, order_no = position
        statement = statement.where(
            or_(orders.c.created_at_ms < at, and_(orders.c.created_at_ms == at, orders.c.order_no < order_no))
        )
    with reading(resources.engine) as connection:
        rows = connection.execute(statement.where(*_conditions(wanted, shopper))).all()
        shown, last = split(rows, wanted.limit)
        found = parts.read(connection, shown)
    items = [parts.order(resources, row, found) for row in shown]
    return OrderPage(
        items=items, next=write_cursor(last.created_at_ms, last.order_no) if last is not None else None
    )


def _conditions(wanted: OrderKind, shopper: str | None) -> Iterator[ColumnElement[bool]]:
    same = {"offer": wanted.offer, "flow": wanted.flow, "status": wanted.status, "shopper": shopper}
    for name, value in same.items():
        if value is not None:
            yield orders.c[name] == value
    if not isinstance(wanted, OrderChoice):
        return
    if wanted.campaign is not None:
        yield _one_of(*_of_campaign(wanted.campaign))
    if wanted.sku is not None:
        yield _one_of(*_with_product(wanted.sku))
    if wanted.coupon is not None:
        held = reservations.c.kind.in_(("coupon", "coupon_code")), reservations.c.subject == wanted.coupon
        yield orders.c.order_no.in_(select(reservations.c.order_no).where(*held))
    if wanted.q is not None:
        named = orders.c.order_no, orders.c.shopper, orders.c.offer
        own = (select(orders.c.order_no).where(column == wanted.q) for column in named)
        yield _one_of(*own, *_of_campaign(wanted.q), *_with_product(wanted.q))
    if wanted.since is not None:
        yield orders.c.created_at_ms >= wanted.since
    if wanted.until is not None:
        yield orders.c.created_at_ms < wanted.until


def _one_of(*found: Select[Any]) -> ColumnElement[bool]:
    """The order is in one of some selections. A union, not an OR: each of them has an index of its own."""
    return orders.c.order_no.in_(union_all(*found))


def _of_campaign(code: str) -> tuple[Select[Any], ...]:
    """Numbers of the orders with a line in a campaign."""
    return (
        select(orders.c.order_no).where(orders.c.campaign == code),
        select(order_lines.c.order_no).where(order_lines.c.campaign == code),
    )


def _with_product(sku: str) -> tuple[Select[Any], ...]:
    """Numbers of the orders with a line of a product."""
    sold_as = select(offers.c.id).where(offers.c.sku == sku)
    return (
        select(orders.c.order_no).where(orders.c.offer.in_(sold_as)),
        select(order_lines.c.order_no).where(order_lines.c.sku == sku),
    )


def read(resources: Resources, order_no: str) -> OrderInFull:
    """One order, as operators see it.

    Raises:
        NotFound: there is none with this number.
    """
    with reading(resources.engine) as connection:
        return in_full(resources, connection, find(connection, order_no))


def find(connection: Connection, order_no: str, *, lock: bool = False) -> Row[Any]:
    """The row of an order; with `lock`, nobody else changes it before this transaction ends.

    Raises:
        NotFound: there is none with this number.
    """
    statement = select(orders).where(orders.c.order_no == order_no)
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"there is no order {order_no}")
    if not lock:
        return row
    if row.group_id is not None:
        # A group changes its orders together, so it comes before them.
        connection.execute(select(groups.c.id).where(groups.c.id == row.group_id).with_for_update())
    return connection.execute(statement.with_for_update()).one()


def in_full(
    resources: Resources, connection: Connection, row: Row[Any], *, for_shopper: bool = False
) -> OrderInFull:
    """An order with its history and payments; shoppers are not told which operator did what."""
    return several_in_full(resources, connection, [row], for_shopper=for_shopper)[0]


def several_in_full(
    resources: Resources, connection: Connection, rows: Sequence[Row[Any]], *, for_shopper: bool
) -> list[OrderInFull]:
    """The same for several orders, with as many statements as for one."""
    found = parts.read(connection, rows)
    histories: dict[str, list[Event]] = defaultdict(list)
    told = select(order_events).where(order_events.c.order_no.in_([row.order_no for row in rows]))
    for each in connection.execute(told.order_by(order_events.c.id)):
        histories[each.order_no].append(
            Event(
                at=resources.iso(each.at_ms),
                actor=each.actor.split(" ")[0] if for_shopper else each.actor,
                before=each.before,
                after=each.after,
                detail=each.detail,
            )
        )
    return [
        OrderInFull(
            **parts.fields_of(resources, row, found),
            history=[_made(resources, row), *histories[row.order_no]],
            payments=[_payment(resources, each) for each in found.payments.get(row.order_no, ())],
        )
        for row in rows
    ]


def _made(resources: Resources, row: Row[Any]) -> Event:
    actor = "writer" if row.flow == SECKILL else "shopper"
    return Event(at=resources.iso(row.created_at_ms), actor=actor, before=None, after="pending", detail={})


def _payment(resources: Resources, row: Row[Any]) -> Payment:
    return Payment(
        id=row.id,
        provider=row.provider,
        amount=row.amount,
        purpose=row.purpose,
        state=row.state,
        created_at=resources.iso(row.created_at_ms),
        settled_at=resources.iso_or_none(row.settled_at_ms),
    )

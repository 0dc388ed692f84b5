"""Reading orders out of the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from admin.errors import NotFound
from admin.groups.tables import groups
from admin.orders.models import Event, MyOrders, Order, OrderInFull, OrderPage, Payment, Refund
from admin.paging import read_cursor, split, write_cursor
from admin.payments.tables import payments, refunds
from admin.resources import Resources
from gateway.orders.database import reading
from gateway.orders.tables import order_events, order_units, orders

OPERATOR = "operator"


def by_operator(actor: str) -> str:
    """How an operator stands in an order's history."""
    return f"{OPERATOR} {actor}"


def page(resources: Resources, wanted: MyOrders, *, shopper: str | None) -> OrderPage:
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
    for name, value in (("offer", wanted.offer), ("status", wanted.status), ("shopper", shopper)):
        if value is not None:
            statement = statement.where(orders.c[name] == value)
    with reading(resources.engine) as connection:
        shown, last = split(connection.execute(statement).all(), wanted.limit)
        items = _several(resources, connection, shown)
    return OrderPage(
        items=items, next=write_cursor(last.created_at_ms, last.order_no) if last is not None else None
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
    order = _several(resources, connection, [row])[0]
    told = connection.execute(
        select(order_events).where(order_events.c.order_no == row.order_no).order_by(order_events.c.id)
    )
    made = Event(at=order.created_at, actor="writer", before=None, after="pending", detail={})
    history = [made] + [
        Event(
            at=resources.iso(each.at_ms),
            actor=each.actor.split(" ")[0] if for_shopper else each.actor,
            before=each.before,
            after=each.after,
            detail=each.detail,
        )
        for each in told
    ]
    attempts = connection.execute(
        select(payments)
        .where(payments.c.order_no == row.order_no)
        .order_by(payments.c.created_at_ms, payments.c.id)
    )
    paid = [
        Payment(
            id=each.id,
            provider=each.provider,
            amount=each.amount,
            state=each.state,
            created_at=resources.iso(each.created_at_ms),
            settled_at=resources.iso_or_none(each.settled_at_ms),
        )
        for each in attempts
    ]
    return OrderInFull(**order.model_dump(), history=history, payments=paid)


def _several(resources: Resources, connection: Connection, rows: Sequence[Row[Any]]) -> list[Order]:
    numbers = [row.order_no for row in rows]
    held: dict[str, list[int]] = defaultdict(list)
    released: dict[str, list[int]] = defaultdict(list)
    refunded: dict[str, list[int]] = defaultdict(list)
    for unit in connection.execute(
        select(order_units).where(order_units.c.order_no.in_(numbers)).order_by(order_units.c.unit)
    ):
        into = held if unit.active else released if unit.released else refunded
        into[unit.order_no].append(unit.unit)
    back: dict[str, list[Refund]] = defaultdict(list)
    for each in connection.execute(
        select(refunds).where(refunds.c.order_no.in_(numbers)).order_by(refunds.c.requested_at_ms, refunds.c.id)
    ):
        back[each.order_no].append(_refund(resources, each))
    return [
        Order(
            order_no=row.order_no,
            offer=row.offer,
            campaign=row.campaign,
            sku=row.sku,
            shopper=row.shopper,
            units=held[row.order_no],
            units_released=released[row.order_no],
            units_refunded=refunded[row.order_no],
            quantity=row.quantity,
            price=row.price,
            total=row.total,
            currency=row.currency,
            status=row.status,
            created_at=resources.iso(row.created_at_ms),
            expire_at=resources.iso(row.expire_at_ms),
            won_at=resources.iso(row.won_at_ms),
            pay_by=resources.iso(row.pay_by_ms),
            paid_at=resources.iso_or_none(row.paid_at_ms),
            shipped_at=resources.iso_or_none(row.shipped_at_ms),
            address=row.address,
            carrier=row.carrier,
            tracking_no=row.tracking_no,
            refunds=back[row.order_no],
        )
        for row in rows
    ]


def _refund(resources: Resources, row: Row[Any]) -> Refund:
    return Refund(
        id=row.id,
        units=row.units,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        restock=row.restock,
        requested_at=resources.iso(row.requested_at_ms),
        settled_at=resources.iso_or_none(row.settled_at_ms),
    )

"""Refunds of all orders, for operators."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from sqlalchemy import and_, or_, select

from admin.inputs import QueryText
from admin.orders import parts
from admin.orders.models import Flow, Refund, Status
from admin.paging import Page, read_cursor, split, write_cursor
from admin.payments.tables import refunds
from admin.routing import Call
from gateway.orders.database import reading
from gateway.orders.tables import orders


class RefundFilter(Page):
    """Which refunds to show."""

    state: Literal["requested", "sending", "settled", "rejected"] | None = None
    order_no: QueryText | None = None
    reason: Annotated[QueryText | None, Field(description="such as asked or terminated")] = None


class RefundListed(Refund):
    """A refund with what must be known of its order. `requested_by` is `shopper`, an operator or a part of us."""

    order_no: str
    shopper: str
    flow: Flow
    status: Status
    currency: str
    total: int
    requested_by: str
    decided_by: str | None


class RefundPage(BaseModel):
    """Refunds, the latest first."""

    items: list[RefundListed]
    next: str | None


def page(call: Call) -> RefundPage:
    """A page of refunds.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    wanted = call.query(RefundFilter)
    position = read_cursor(wanted.cursor, int, str)
    moment, key = refunds.c.requested_at_ms, refunds.c.id
    statement = select(refunds).order_by(moment.desc(), key.desc()).limit(wanted.limit + 1)
    if position is not None:
        at, refund_id = position
        statement = statement.where(or_(moment < at, and_(moment == at, key < refund_id)))
    for name in ("state", "order_no", "reason"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(refunds.c[name] == value)
    with reading(call.resources.engine) as connection:
        shown, last = split(connection.execute(statement).all(), wanted.limit)
        numbers = {row.order_no for row in shown}
        rows = connection.execute(select(orders).where(orders.c.order_no.in_(numbers))).all()
        found = parts.read(connection, rows)
    told = {row.order_no: parts.order(call.resources, row, found) for row in rows}
    items = []
    for row in shown:
        order = told[row.order_no]
        about = order.model_dump(include={"order_no", "shopper", "flow", "status", "currency", "total"})
        (refund,) = (each for each in order.refunds if each.id == row.id)
        by = {"requested_by": row.requested_by, "decided_by": row.decided_by}
        items.append(RefundListed(**refund.model_dump(), **about, **by))
    return RefundPage(items=items, next=write_cursor(last.requested_at_ms, last.id) if last is not None else None)

"""What a refund would pay back, before anybody asks for it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Row

from admin.orders import views
from admin.orders.models import GiftKept, LineCount
from admin.orders.ownership import own
from admin.payments import contents, refund_requests
from admin.payments.choosing import RefundInput
from admin.routing import Call
from gateway.orders.database import reading


class RefundPreview(BaseModel):
    """What a refund would pay back if it were asked for now. Nothing is changed by looking."""

    units: list[int]
    lines: list[LineCount] = Field(description="the same by line")
    amount: int = Field(description="minor units")
    currency: str
    held_back: int = Field(description="what the units cost less the amount")
    gifts_kept: list[GiftKept] = Field(
        description="gifts that the kept units no longer earn: their worth is held back unless they come back"
    )
    at_once: bool = Field(description="false: an operator must agree when the shopper asks")


def own_preview(call: Call) -> RefundPreview:
    """What the shopper would get.

    Raises:
        NotFound, NotReady: there is no such order of theirs, or not yet.
        Conflict: its state forbids a refund, or a unit is paid back already.
        Invalid: it has no such line or unit.
    """
    given = call.read(RefundInput)
    with reading(call.resources.engine) as connection:
        return _look(connection, own(call, connection), given)


def preview(call: Call) -> RefundPreview:
    """The same for operators, of any order.

    Raises:
        NotFound: there is no such order.
        Conflict: its state forbids a refund, or a unit is paid back already.
        Invalid: it has no such line or unit.
    """
    given = call.read(RefundInput)
    with reading(call.resources.engine) as connection:
        return _look(connection, views.find(connection, call.path["order_no"]), given)


def _look(connection: Connection, order: Row[Any], given: RefundInput) -> RefundPreview:
    what = refund_requests.work_out(connection, order, given)
    counts = contents.read(connection, order).by_line(what.units)
    return RefundPreview(
        units=list(what.units),
        lines=[LineCount(line=line, quantity=count) for line, count in sorted(counts.items())],
        amount=what.amount,
        currency=order.currency,
        held_back=what.held_back,
        gifts_kept=[GiftKept(**each) for each in what.gifts_kept],
        at_once=refund_requests.decided_at_once(connection, order),
    )

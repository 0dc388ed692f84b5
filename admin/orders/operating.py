"""What operators do with orders; every change is in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from admin.audit import service as audit
from admin.inputs import Nothing
from admin.orders import cancelling, views
from admin.orders.models import OrderInFull, Shipment
from admin.orders.ownership import wrong_state
from admin.orders.releasing import back_on_sale
from admin.orders.views import by_operator
from admin.payments import refund_requests, refunding
from admin.payments.refund_requests import RefundDecision
from admin.payments.tables import refunds
from admin.routing import Call
from gateway.orders import states
from gateway.orders.database import now_ms, writing


def ship(call: Call) -> OrderInFull:
    """Send a paid order on its way.

    Raises:
        NotFound, Conflict: there is no such order, or its state forbids it.
    """
    shipment = call.read(Shipment).model_dump()
    with writing(call.resources.engine) as connection:
        order = _locked(call, connection)
        now = now_ms(connection)
        if not states.move(
            connection,
            order.order_no,
            "paid",
            "shipped",
            actor=by_operator(call.actor),
            at_ms=now,
            detail=shipment,
            shipped_at_ms=now,
            **shipment,
        ):
            raise wrong_state(order, "only a paid order can be shipped")
        _note(call, connection, order, "ship", shipment)
    return views.read(call.resources, order.order_no)


def complete(call: Call) -> OrderInFull:
    """Close a shipped order.

    Raises:
        NotFound, Conflict: there is no such order, or its state forbids it.
    """
    call.read(Nothing)
    with writing(call.resources.engine) as connection:
        order = _locked(call, connection)
        if not states.move(
            connection,
            order.order_no,
            "shipped",
            "completed",
            actor=by_operator(call.actor),
            at_ms=now_ms(connection),
        ):
            raise wrong_state(order, "only a shipped order can be completed")
        _note(call, connection, order, "complete", {})
    return views.read(call.resources, order.order_no)


def cancel(call: Call) -> OrderInFull:
    """Give an unpaid order up; its units go back on sale.

    Raises:
        NotFound, Conflict: there is no such order, or its state forbids it.
    """
    call.read(Nothing)
    with writing(call.resources.engine) as connection:
        order = _locked(call, connection)
        cancelling.cancel(connection, order, actor=by_operator(call.actor))
        _note(call, connection, order, "cancel", {})
    back_on_sale(call.resources, order.order_no)
    return views.read(call.resources, order.order_no)


def refund(call: Call) -> OrderInFull:
    """Pay back units, or agree to what the shopper has asked for.

    Raises:
        NotFound, Conflict: there is no such order, or its state forbids it.
        Invalid: with every problem of the input.
    """
    given = call.read(RefundDecision)
    with writing(call.resources.engine) as connection:
        order = _locked(call, connection)
        refund_id = refund_requests.start(connection, order, given, by=call.actor, actor=by_operator(call.actor))
        why = {} if given.note is None else {"note": given.note}
        _note(call, connection, order, "refund", _about(connection, refund_id) | why)
    refunding.send(call.resources, refund_id)
    return views.read(call.resources, order.order_no)


def reject_refund(call: Call) -> OrderInFull:
    """Do not agree to what the shopper has asked for.

    Raises:
        NotFound, Conflict: there is no such order, or nothing waits for a decision.
    """
    call.read(Nothing)
    with writing(call.resources.engine) as connection:
        order = _locked(call, connection)
        refund_id = refund_requests.reject(connection, order, by=call.actor, actor=by_operator(call.actor))
        _note(call, connection, order, "reject refund", _about(connection, refund_id))
    return views.read(call.resources, order.order_no)


def _locked(call: Call, connection: Connection) -> Row[Any]:
    return views.find(connection, call.path["order_no"], lock=True)


def _about(connection: Connection, refund_id: str) -> dict[str, Any]:
    row = connection.execute(select(refunds).where(refunds.c.id == refund_id)).one()
    told = ("units", "amount", "held_back", "restock", "state")
    return {"refund": row.id, **{name: getattr(row, name) for name in told}}


def _note(call: Call, connection: Connection, before: Row[Any], action: str, about: Mapping[str, Any]) -> None:
    """Into the audit log; what shoppers tell of themselves stays out of it."""
    after = views.find(connection, before.order_no)
    audit.record(
        connection,
        call.actor,
        action,
        "order",
        before.order_no,
        before={"status": before.status},
        after={"status": after.status, **about},
    )

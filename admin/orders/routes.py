"""Orders and dead letters over HTTP, for operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from admin.inputs import Nothing
from admin.orders import dead_letters, exporting, operating, views
from admin.orders.dead_letters import DeadLetterPage
from admin.orders.models import OrderChoice, OrderFilter, OrderInFull, OrderPage, Shipment
from admin.paging import Page
from admin.payments.refund_requests import RefundDecision
from admin.routing import Body, Call, Endpoint


def _list(call: Call) -> OrderPage:
    wanted = call.query(OrderFilter)
    return views.page(call.resources, wanted, shopper=wanted.shopper)


def _read(call: Call) -> OrderInFull:
    return views.read(call.resources, call.path["order_no"])


def _dead_letters(call: Call) -> DeadLetterPage:
    return dead_letters.page(call.resources, call.query(Page))


def _change(
    path: str,
    name: str,
    summary: str,
    run: Callable[[Call], OrderInFull],
    model: type[BaseModel],
    example: dict[str, Any],
) -> Endpoint:
    return Endpoint(
        "POST",
        f"/admin/api/orders/{{order_no}}/{path}",
        name,
        summary,
        run,
        OrderInFull,
        body=Body((model,), {"example": example}, optional=model is not Shipment),
        problems=(404, 409),
    )


ENDPOINTS = (
    Endpoint(
        "GET", "/admin/api/orders", "list_orders", "Orders, newest first", _list, OrderPage, query=OrderFilter
    ),
    Endpoint(
        "GET",
        "/admin/api/orders.csv",
        "export_orders",
        "All orders that are asked for, as CSV",
        exporting.export,
        None,
        query=OrderChoice,
        other_types=("text/csv",),
    ),
    Endpoint("GET", "/admin/api/orders/{order_no}", "read_order", "One order", _read, OrderInFull, problems=(404,)),
    _change(
        "ship",
        "ship_order",
        "Send a paid order on its way",
        operating.ship,
        Shipment,
        {"carrier": "Fast & Far", "tracking_no": "FF-1"},
    ),
    _change("complete", "complete_order", "Close a shipped order", operating.complete, Nothing, {}),
    _change(
        "cancel", "cancel_order", "Give an unpaid order up; its units are sold again", operating.cancel, Nothing, {}
    ),
    _change(
        "refund",
        "refund_order",
        "Pay back units (all without a choice), or agree to what the shopper has asked for",
        operating.refund,
        RefundDecision,
        {"lines": [{"line": 1, "quantity": 1}], "restock": True},
    ),
    _change(
        "refund/reject",
        "reject_refund",
        "Do not agree to what the shopper has asked for",
        operating.reject_refund,
        Nothing,
        {},
    ),
    Endpoint(
        "GET",
        "/admin/api/dead-letters",
        "list_dead_letters",
        "Winners that could not be written, with the reason",
        _dead_letters,
        DeadLetterPage,
        query=Page,
    ),
)

"""Orders and dead letters over HTTP, for operators."""

from __future__ import annotations

from admin.orders import dead_letters, views
from admin.orders.dead_letters import DeadLetterPage
from admin.orders.models import OrderFilter, OrderInFull, OrderPage
from admin.paging import Page
from admin.routing import Call, Endpoint


def _list(call: Call) -> OrderPage:
    return views.page(call.resources, call.query(OrderFilter))


def _read(call: Call) -> OrderInFull:
    return views.read(call.resources, call.path["order_no"])


def _dead_letters(call: Call) -> DeadLetterPage:
    return dead_letters.page(call.resources, call.query(Page))


ENDPOINTS = (
    Endpoint(
        "GET", "/admin/api/orders", "list_orders", "Orders, newest first", _list, OrderPage, query=OrderFilter
    ),
    Endpoint("GET", "/admin/api/orders/{order_no}", "read_order", "One order", _read, OrderInFull, problems=(404,)),
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

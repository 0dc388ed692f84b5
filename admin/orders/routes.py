"""Orders and dead letters over HTTP."""

from __future__ import annotations

from admin.orders import service
from admin.orders.service import DeadLetterPage, Order, OrderFilter, OrderPage
from admin.paging import Page
from admin.routing import Call, Endpoint


def _list(call: Call) -> OrderPage:
    return service.page(call.resources, call.query(OrderFilter))


def _read(call: Call) -> Order:
    return service.read(call.resources, call.path["order_no"])


def _dead_letters(call: Call) -> DeadLetterPage:
    return service.dead_letters(call.resources, call.query(Page))


ENDPOINTS = (
    Endpoint(
        "GET", "/admin/api/orders", "list_orders", "Orders, newest first", _list, OrderPage, query=OrderFilter
    ),
    Endpoint("GET", "/admin/api/orders/{order_no}", "read_order", "One order", _read, Order, problems=(404,)),
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

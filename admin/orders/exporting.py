"""Orders as CSV, for spreadsheets: a row for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from admin.orders import views
from admin.orders.models import Order, OrderChoice, OrderFilter
from admin.paging import PAGE_MAX
from admin.resources import Resources
from admin.routing import Call
from admin.sheets.sending import table

_OWN = (
    "order_no",
    "created_at",
    "status",
    "flow",
    "shopper",
    "quantity",
    "subtotal",
    "discount",
    "coupon",
    "coupon_discount",
    "total",
    "paid",
    "refunded",
    "currency",
    "paid_at",
    "shipped_at",
    "carrier",
    "tracking_no",
)
_ADDRESS = ("name", "phone", "line1", "line2", "city", "region", "postal_code", "country")
_HEAD = (*_OWN, "products", "campaigns", *(f"address_{part}" for part in _ADDRESS))


def export(call: Call) -> Response:
    """All orders that are asked for, the newest first."""
    return table("orders", _HEAD, _rows(call.resources, call.query(OrderChoice)))


def _rows(resources: Resources, wanted: OrderChoice) -> Iterator[list[Any]]:
    """A page of orders at a time, each read in a transaction of its own."""
    following: str | None = None
    while True:
        chosen = OrderFilter.model_construct(**wanted.model_dump(), limit=PAGE_MAX, cursor=following)
        page = views.page(resources, chosen, shopper=wanted.shopper)
        yield from map(_row, page.items)
        following = page.next
        if following is None:
            return


def _row(order: Order) -> list[Any]:
    lines = (f"{each.sku} x {each.quantity}" for each in order.lines)
    address = order.address or {}
    return [
        *(getattr(order, name) for name in _OWN),
        "|".join(lines),
        "|".join(order.campaigns),
        *(address.get(part) for part in _ADDRESS),
    ]

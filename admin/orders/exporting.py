"""Orders as CSV, for spreadsheets: a row for each, piece by piece, so that the shop may have any number of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from starlette.responses import Response, StreamingResponse

from admin.orders import views
from admin.orders.models import Order, OrderChoice, OrderFilter
from admin.paging import PAGE_MAX
from admin.resources import Resources
from admin.routing import Call
from admin.sheets.cells import guard

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
    wanted = call.query(OrderChoice)
    headers = {"Content-Disposition": 'attachment; filename="orders.csv"'}
    return StreamingResponse(_pieces(call.resources, wanted), headers=headers, media_type="text/csv")


def _pieces(resources: Resources, wanted: OrderChoice) -> Iterator[str]:
    """A page of orders at a time, each read in a transaction of its own."""
    yield _written([_HEAD])
    following: str | None = None
    while True:
        chosen = OrderFilter.model_construct(**wanted.model_dump(), limit=PAGE_MAX, cursor=following)
        page = views.page(resources, chosen, shopper=wanted.shopper)
        yield _written(_row(order) for order in page.items)
        following = page.next
        if following is None:
            return


def _row(order: Order) -> list[str]:
    lines = (f"{each.sku} x {each.quantity}" for each in order.lines)
    address = order.address or {}
    values = [
        *(getattr(order, name) for name in _OWN),
        "|".join(lines),
        "|".join(order.campaigns),
        *(address.get(part) for part in _ADDRESS),
    ]
    return ["" if value is None else guard(str(value)) for value in values]


def _written(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()

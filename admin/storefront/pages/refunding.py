"""Money back: choose what goes back, see what that pays, then ask for it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from admin.errors import AdminError, Invalid, NotFound
from admin.orders.models import OrderInFull
from admin.pages.locales import gettext as _
from admin.storefront.pages import orders
from admin.storefront.pages.orders import REFUNDABLE
from admin.storefront.pages.refusals import why
from admin.storefront.pages.visit import Visit, page

WHOLE = ("deposit_paid", "balance_due", "awaiting_group")
"""States in which an order is only paid back whole."""
UNITS_SHOWN = 60
"""Pieces that can be picked one by one; of more, only how many."""


async def show(visit: Visit) -> Response:
    """`GET /orders/{order_no}/refund`: what can go back."""
    order = await orders.read(visit)
    if order.status not in REFUNDABLE:
        return visit.go(f"/orders/{order.order_no}", trouble=_("Nothing of this order can be paid back now."))
    return _choice(visit, order)


def _choice(visit: Visit, order: OrderInFull, problem: str | None = None) -> Response:
    chosen = {name: value for name, value in visit.form if name.startswith("line:")}
    return visit.show(
        "refund.html",
        order=order,
        whole=order.status in WHOLE,
        problem=problem,
        chosen=chosen,
        picked=set(visit.values("unit")),
        shown=UNITS_SHOWN,
    )


async def ask(visit: Visit) -> Response:
    """`POST /orders/{order_no}/refund`: look at what would come back, or with `sure` ask for it."""
    order = await orders.read(visit)
    path, body = {"order_no": order.order_no}, _wanted(visit)
    if body is None:
        visit.status = 422
        return _choice(visit, order, _("Choose what goes back."))
    try:
        if not visit.value("sure"):
            preview = await visit.ask("preview_my_refund", path=path, body=body)
            names = {line.line: line.name for line in order.lines}
            return visit.show("refund_preview.html", order=order, preview=preview, names=names, fields=visit.form)
        after = await visit.ask("ask_refund", path=path, body=body)
    except NotFound:
        raise
    except AdminError as error:
        visit.status = 422 if isinstance(error, Invalid) else 409
        return _choice(visit, order, why(error))
    note = _("The money is on its way back to you.")
    if any(each.state == "requested" for each in after.refunds):
        note = _("The shop has been asked. You hear from it.")
    return visit.go(f"/orders/{order.order_no}", note)


def _wanted(visit: Visit) -> dict[str, Any] | None:
    """The body of the refund; None when nothing was chosen."""
    match visit.value("by"):
        case "all":
            return {}
        case "unit":
            units = [int(each) for each in visit.values("unit") if each.isascii() and each.isdigit()]
            return {"units": units} if units else None
    lines = []
    for name, typed in visit.form:
        number = name.removeprefix("line:")
        if name.startswith("line:") and number.isdigit() and typed.isascii() and typed.isdigit() and int(typed):
            lines.append({"line": int(number), "quantity": int(typed)})
    return {"lines": lines} if lines else None


ROUTES = [
    page("GET", "/orders/{order_no}/refund", show),
    page("POST", "/orders/{order_no}/refund", ask),
]

"""A shopper's orders: the list, one order with what can be done about it, its address, and giving it up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from admin.errors import AdminError, Invalid, NotFound, NotReady
from admin.orders.models import OrderInFull
from admin.orders.ownership import RECEIPT
from admin.orders.shopping import MOVABLE
from admin.pages.locales import gettext as _
from admin.storefront.pages import addressing, order_words
from admin.storefront.pages.addressing import AddressForm
from admin.storefront.pages.refusals import why
from admin.storefront.pages.splitting import pieces
from admin.storefront.pages.visit import Visit, page

PER_PAGE = "20"
AGAIN_S = "2"
"""So soon a page looks again for an order that is being written."""
WAITING_S = "5"
"""The same for money on its way, and for an order whose time to pay is over."""
REFUNDABLE = ("deposit_paid", "balance_due", "awaiting_group", "paid", "shipped", "completed")


async def show_list(visit: Visit) -> Response:
    """`GET /orders`: all, or those in one state."""
    wanted = visit.request.query_params.get("status", "")
    query = {"limit": PER_PAGE}
    if wanted in order_words.STATES:
        query["status"] = wanted
    cursor = visit.request.query_params.get("cursor")
    found = await visit.ask("list_my_orders", query=query | ({"cursor": cursor} if cursor else {}))
    more = None
    if found.next is not None:
        more = "/orders?" + urlencode(({"status": wanted} if "status" in query else {}) | {"cursor": found.next})
    return visit.show("orders.html", orders=found.items, more=more, wanted=query.get("status"), words=order_words)


async def show(visit: Visit) -> Response:
    """`GET /orders/{order_no}`; with `receipt`, also while it is being written."""
    receipt = visit.request.query_params.get("receipt", "")
    try:
        order = await read(visit, receipt)
    except NotReady:
        visit.status = 202
        reply = visit.show("order_waiting.html", order_no=visit.path["order_no"], receipt=receipt)
        reply.headers["Refresh"] = AGAIN_S
        return reply
    campaigns = [await _campaign(visit, code) for code in order.campaigns]
    waiting = any(each.state == "started" for each in order.payments) and order.status in ("pending", "balance_due")
    now = datetime.now(UTC)
    late = order.status == "pending" and not waiting and datetime.fromisoformat(order.expire_at) <= now
    reply = visit.show(
        "order.html",
        order=order,
        receipt=receipt,
        campaigns={each["code"]: each for each in campaigns},
        address=addressing.lines(order.address or {}),
        movable=order.status in MOVABLE,
        refundable=order.status in REFUNDABLE,
        waiting=waiting,
        late=late,
        coupon=visit.request.query_params.get("coupon", ""),
        provider=visit.resources.settings.payment_provider,
        now=now.isoformat(),
        pieces=pieces,
        words=order_words,
    )
    if waiting or late or any(each.state == "sending" for each in order.refunds):
        reply.headers["Refresh"] = WAITING_S
    return reply


async def read(visit: Visit, receipt: str = "") -> OrderInFull:
    """The order of the path.

    Raises:
        NotFound: there is none, or it is somebody else's. NotReady: by its receipt, it is being written.
    """
    headers = {RECEIPT: receipt} if receipt else {}
    order = await visit.ask("read_my_order", path={"order_no": visit.path["order_no"]}, headers=headers)
    assert isinstance(order, OrderInFull)
    return order


async def _campaign(visit: Visit, code: str) -> dict[str, Any]:
    """What a campaign is called, and whether it still has a page."""
    try:
        found = await visit.ask("read_shop_campaign", path={"code": code}, query={"limit": "1"})
    except NotFound:
        return {"code": code, "title": code, "there": False}
    return {"code": code, "title": found.label or found.name, "there": True}


async def show_address(visit: Visit) -> Response:
    """`GET /orders/{order_no}/address`."""
    order = await read(visit)
    return _address(visit, order, AddressForm(order.address or await addressing.last_used(visit)))


def _address(visit: Visit, order: OrderInFull, form: AddressForm) -> Response:
    return visit.show("order_address.html", order=order, form=form)


async def send_to(visit: Visit) -> Response:
    """`POST /orders/{order_no}/address`."""
    number, values = visit.path["order_no"], addressing.typed(visit)
    try:
        await visit.ask("set_address", path={"order_no": number}, body=values)
    except Invalid as error:
        visit.status = 422
        return _address(visit, await read(visit), addressing.refused(values, error.errors))
    except NotFound:
        raise
    except AdminError as error:
        return visit.go(f"/orders/{number}", trouble=why(error))
    return visit.go(f"/orders/{number}", _("It goes to the new address."))


async def cancel(visit: Visit) -> Response:
    """`POST /orders/{order_no}/cancel`."""
    number = visit.path["order_no"]
    try:
        await visit.ask("cancel_my_order", path={"order_no": number}, body={})
    except NotFound:
        raise
    except AdminError as error:
        return visit.go(f"/orders/{number}", trouble=why(error))
    return visit.go(f"/orders/{number}", _("Your order is cancelled."))


ROUTES = [
    page("GET", "/orders", show_list),
    page("GET", "/orders/{order_no}", show),
    page("GET", "/orders/{order_no}/address", show_address),
    page("POST", "/orders/{order_no}/address", send_to),
    page("POST", "/orders/{order_no}/cancel", cancel),
]

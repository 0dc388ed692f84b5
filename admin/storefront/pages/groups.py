"""Group buys: opening a group, its page, and what people do there."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.responses import Response

from admin import problems
from admin.errors import AdminError, Conflict, Invalid, NotFound
from admin.groups.models import GroupInFull
from admin.pages.locales import gettext as _
from admin.storefront.models import ShopProductData
from admin.storefront.pages.refusals import plain, why
from admin.storefront.pages.replies import answered, key_of, units
from admin.storefront.pages.visit import Visit, page

OPEN_SHOWN = "6"
"""Groups to join that are shown beside the button that opens a new one."""
OWN_LOOKED_AT = "50"
"""Orders among which a shopper's former one in a group is looked for."""


async def show_offer(visit: Visit) -> Response:
    """`GET /groups/{campaign}/{sku}`: what a group buy of a product is; open a group, or join one."""
    return await _offer(visit, visit.path["campaign"], visit.path["sku"])


async def open_group(visit: Visit) -> Response:
    """`POST /groups`: from the page above, or from a product's."""
    campaign, sku = visit.value("campaign"), visit.value("sku")
    body = {"campaign": campaign, "sku": sku, "quantity": units(visit.value("quantity", "1"))}
    try:
        made = answered(await visit.ask("open_group", body=body, headers=key_of(visit.value("key"))))
    except (Conflict, Invalid) as error:
        return await _offer(visit, campaign, sku, error)
    return visit.go(f"/g/{made['id']}", _("Your group is open. Pay for your seat, then share the link."))


async def _offer(visit: Visit, campaign: str, sku: str, error: AdminError | None = None) -> Response:
    about = await visit.ask("read_shop_campaign", path={"code": campaign}, query={"limit": "1"})
    if about.type != "group_buy":
        raise NotFound(f"there is no group buy {campaign}")
    product = await visit.ask("read_shop_product", path={"sku": sku})
    open_now = await visit.ask("list_groups", query={"campaign": campaign, "sku": sku, "limit": OPEN_SHOWN})
    return visit.show(
        "group-offer.html",
        about=about,
        product=product,
        button=next((each for each in product.buttons if each.campaign == campaign), None),
        groups=open_now.items,
        reason=None if about.reason is None else plain(about.reason),
        **_form(visit, error),
    )


def _form(visit: Visit, error: AdminError | None) -> dict[str, Any]:
    """What a form with a quantity shows: what was typed, and why it was refused."""
    if error is not None:
        visit.status = problems.describe(error).status_code
    return {
        "problem": None if error is None else why(error),
        "quantity": visit.value("quantity", "1"),
        "key": secrets.token_urlsafe(16),
    }


async def show_group(visit: Visit) -> Response:
    """`GET /g/{id}`."""
    return await _group(visit)


async def _group(visit: Visit, error: AdminError | None = None) -> Response:
    group = await visit.ask("read_group", path={"group": visit.path["id"]})
    product, order = await _product(visit, group.sku), await _own_order(visit, group)
    return visit.show(
        "group.html",
        group=group,
        product=product,
        alone=group.base_price if product is None else product.promo_price,
        order=order,
        standing=_standing(visit, group, order),
        address=f"{visit.request.url.scheme}://{visit.request.url.netloc}{group.url}",
        **_form(visit, error),
    )


async def _product(visit: Visit, sku: str) -> ShopProductData | None:
    """A group's product, if it is still for sale."""
    try:
        found: ShopProductData = await visit.ask("read_shop_product", path={"sku": sku})
    except NotFound:
        return None
    return found


async def _own_order(visit: Visit, group: GroupInFull) -> Any:
    """The order of whoever looks: of their seat, or in a group that is over, of the seat that they had."""
    if visit.shopper is None:
        return None
    if group.my_order_no is not None:
        return await visit.ask("read_my_order", path={"order_no": group.my_order_no})
    if group.state == "open":
        return None
    mine = await visit.ask("list_my_orders", query={"flow": "group_buy", "limit": OWN_LOOKED_AT})
    return next((each for each in mine.items if each.group_id == group.id), None)


def _standing(visit: Visit, group: GroupInFull, order: Any) -> str:
    """How the one who looks stands to a group, which decides what they are told and may do."""
    if group.state != "open":
        return group.state if order is None else f"my_{group.state}"
    if group.deadline <= group.server_time:
        return "closing"
    if order is not None:
        return "unpaid" if order.status == "pending" else "waiting"
    if not group.seats_left:
        return "taken"
    return "guest" if visit.shopper is None else "free"


async def join(visit: Visit) -> Response:
    """`POST /g/{id}/join`."""
    path, body = {"group": visit.path["id"]}, {"quantity": units(visit.value("quantity", "1"))}
    try:
        await visit.ask("join_group", path=path, body=body, headers=key_of(visit.value("key")))
    except (Conflict, Invalid) as error:
        return await _group(visit, error)
    return visit.go(f"/g/{visit.path['id']}", _("This seat is held for you. Pay for it to be in."))


async def leave(visit: Visit) -> Response:
    """`POST /g/{id}/leave`."""
    here = f"/g/{visit.path['id']}"
    try:
        left = await visit.ask("leave_group", path={"group": visit.path["id"]})
    except Conflict as error:
        return visit.go(here, trouble=why(error))
    if left.order.status == "cancelled":
        return visit.go(here, _("You have left the group. You had paid nothing."))
    return visit.go(here, _("You have left the group. What you paid goes back to you."))


ROUTES = [
    page("GET", "/groups/{campaign}/{sku}", show_offer),
    page("POST", "/groups", open_group),
    page("GET", "/g/{id}", show_group),
    page("POST", "/g/{id}/join", join),
    page("POST", "/g/{id}/leave", leave),
]

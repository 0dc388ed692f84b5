"""A product's page: what it costs, every promotion of it in words, and every way to buy it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from admin.pages.locales import gettext as _
from admin.pages.locales import money
from admin.storefront.models import ShopChoice, ShopProductData
from admin.storefront.pages import flash
from admin.storefront.pages.refusals import plain
from admin.storefront.pages.visit import Visit, page

GROUPS_SHOWN = "5"
JOINABLE = frozenset({"applied", "not_reached", "beaten"})
"""Where a shopper may choose a promotion; the cart tells what becomes of it."""
OWN_BUTTONS = frozenset({"seckill", "presale", "group_buy"})


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion of the product as the page tells it. `takes` is what it takes and brings, `why` why not now."""

    about: ShopChoice
    takes: str
    why: str | None
    joinable: bool


async def show(visit: Visit) -> Response:
    """`GET /products/{sku}`."""
    sku = visit.path["sku"]
    product: ShopProductData = await visit.ask("read_shop_product", path={"sku": sku})
    sales = await visit.ask("list_flash_sales", query={"sku": sku})
    groups = []
    if any(each.type == "group_buy" for each in product.buttons):
        groups = (await visit.ask("list_groups", query={"sku": sku, "limit": GROUPS_SHOWN})).items
    promotions = [_promotion(each, product) for each in product.campaigns if each.type not in OWN_BUTTONS]
    return visit.show(
        "product.html",
        product=product,
        sales=sales.items,
        presales=[each for each in product.buttons if each.type == "presale"],
        group_buys=[each for each in product.buttons if each.type == "group_buy"],
        groups=groups,
        promotions=promotions,
        sets=[await _set(visit, each) for each in promotions if each.about.type == "bundle" and each.joinable],
        gateway=flash.gateway_url(visit),
        now=product.server_time,
    )


def _promotion(about: ShopChoice, product: ShopProductData) -> Promotion:
    joinable = about.state == "running" and about.choice in JOINABLE
    return Promotion(about, _takes(about, product), _why(about, joinable), joinable)


def _takes(about: ShopChoice, product: ShopProductData) -> str:
    if about.type == "bundle":
        return _("Costs less as part of a set.")
    if about.reach_quantity is None or about.unit_price is None:
        return _("Counts together with other products of this promotion.")
    price, cheaper = money(about.unit_price, product.currency), about.unit_price < product.price
    if not cheaper:
        # What it brings is a gift or an add-on.
        if about.reach_quantity == 1:
            return _("One is enough.")
        return _("Buy %(count)s to get it.") % {"count": about.reach_quantity}
    if about.reach_quantity > 1:
        return _("Buy %(count)s, then %(price)s each.") % {"count": about.reach_quantity, "price": price}
    return _("%(price)s each.") % {"price": price}


def _why(about: ShopChoice, joinable: bool) -> str | None:
    if about.state == "not_started" or about.default:
        return None
    if about.choice == "beaten":
        return _("Another promotion goes first; you can choose this one instead.")
    return None if joinable or about.reason is None else plain(about.reason)


async def _set(visit: Visit, promotion: Promotion) -> Any:
    return await visit.ask("read_shop_campaign", path={"code": promotion.about.code}, query={"limit": "20"})


ROUTES = [page("GET", "/products/{sku}", show)]

"""Products in a rule's form: those it names, one to price examples with, and those that a search finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from admin.campaigns.models import Campaign
from admin.catalog.models import Product
from admin.errors import NotFound
from admin.pages.asking import ask
from admin.pages.locales import gettext, money, number
from admin.promotions.model import PromotionType

FOUND_MAX = 8
"""Suggestions while typing."""
LISTED_MAX = 100
"""Products that a browser without scripts offers."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What examples are priced with."""

    name: str
    price: int


async def known(request: Request, skus: Iterable[str]) -> dict[str, Product]:
    """Those of some products that exist."""
    found = {}
    for sku in sorted({each for each in skus if each}):
        try:
            found[sku] = await ask(request, "read_product", path={"sku": sku})
        except NotFound:
            continue
    return found


async def sample(request: Request, campaign: Campaign, promotion: PromotionType) -> Sample:
    """A product of the campaign or, while it has none, what the type's own example is about."""
    listed = [item.sku for item in campaign.items if not item.removed]
    if campaign.scope == "items" and listed:
        first = (await known(request, listed[:1])).get(listed[0])
        if first is not None:
            return Sample(first.name, first.price)
    if campaign.scope != "items":
        query = {"limit": "1", "on_sale": "true", "gift_only": "false"}
        if campaign.scope == "category" and campaign.categories:
            query["category"] = campaign.categories[0]
        page = await ask(request, "list_products", query=query)
        if page.items:
            return Sample(page.items[0].name, page.items[0].price)
    prices = promotion.examples[0].prices
    return Sample(gettext("a product"), next(iter(prices.values())))


async def suggested(request: Request, typed: str, *, gifts: bool, most: int) -> list[dict[str, str]]:
    """Products whose name or SKU holds what was typed, as a list of choices shows them."""
    query = {"limit": str(most)}
    if typed.strip():
        query["q"] = typed.strip()[:120]
    if not gifts:
        query["gift_only"] = "false"
    elif gift_only(request):
        query["gift_only"] = "true"
    page = await ask(request, "list_products", query=query)
    return [{"sku": each.sku, "name": each.name, "about": about(request, each)} for each in page.items]


def gift_only(request: Request) -> bool:
    """Whether the shop gives away only goods that are not for sale."""
    settings: Any = request.state.resources.settings
    return bool(settings.gift_goods == "gift_only")


def about(request: Request, product: Product) -> str:
    """Price and stock of a product in a few words."""
    price = money(product.price, request.state.resources.currency)
    free = number(product.free)
    if product.gift_only:
        return gettext("gift only · %(free)s free") % {"free": free}
    return gettext("%(price)s · %(free)s free") % {"price": price, "free": free}

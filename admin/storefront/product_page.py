"""What a product page shows: every promotion of a product, and what each would make of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from admin.catalog.tables import products
from admin.errors import NotFound
from admin.promotions import engine
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart, CartLine
from admin.promotions.choosing import ERROR, EXCLUDED
from admin.promotions.world import Product
from admin.storefront.models import ShopChoice, ShopProductData
from admin.storefront.views import add_ons_view, grants_view, product_view, sold_by_gateway, state_in
from admin.storefront.visit import Visit
from gateway.orders.database import reading

FEW = 20
"""Up to so many units, a shopper is told how many are left."""


def read(visit: Visit, sku: str) -> ShopProductData:
    """The data of a product page.

    Raises:
        NotFound: there is no such product, or it is not for sale.
    """
    listing = visit.listing(sku)
    with reading(visit.resources.engine) as connection:
        row = connection.execute(
            select(products.c.description, (products.c.stock - products.c.reserved).label("free")).where(
                products.c.sku == sku
            )
        ).one_or_none()
    if listing is None or row is None:
        raise NotFound(f"there is no product {sku} on sale")
    free = {sku: int(row.free)}
    return ShopProductData(
        **product_view(visit, listing, free).model_dump(),
        description=row.description,
        tags=list(listing.tags),
        category=listing.category,
        currency=visit.world.currency,
        server_time=visit.resources.iso(visit.now_ms),
        left=row.free if 0 < row.free <= FEW else None,
        campaigns=_choices(visit, listing.product, free),
    )


def _choices(visit: Visit, product: Product, free: dict[str, int]) -> list[ShopChoice]:
    line = CartLine(sku=product.sku, quantity=1)
    cart = Cart(lines=[line], channel=visit.channel, store=visit.store, explain=True)
    quoted = engine.quote(cart, replace(visit.world, free=free))["lines"][0]
    found = []
    for choice in quoted["choices"]:
        campaign = visit.book.index.get(choice["campaign"])
        # Left out for good, such as by name: nothing to tell a shopper.
        if campaign is not None and choice["state"] not in {EXCLUDED, ERROR}:
            found.append(_choice(visit, campaign, product, choice, default=campaign.code == quoted["campaign"]))
    return found


def _choice(
    visit: Visit, campaign: Campaign, product: Product, choice: dict[str, Any], *, default: bool
) -> ShopChoice:
    reached = None if sold_by_gateway(campaign) else visit.alone.reach(campaign, product)
    return ShopChoice(
        code=campaign.code,
        type=campaign.type_name,
        name=campaign.text("name", visit.language) or campaign.code,
        label=choice["label"],
        slogan=campaign.text("slogan", visit.language),
        starts_at=visit.resources.iso(campaign.starts_at_ms),
        ends_at=visit.resources.iso(campaign.ends_at_ms),
        state=state_in(visit, campaign),
        choice=choice["state"],
        reason=choice["reason"],
        default=default,
        reach_quantity=None if reached is None else reached.group.units,
        unit_price=None if reached is None else reached.unit_prices(1, reached.shares()[0])[0],
        reach_total=None if reached is None else reached.group.subtotal - reached.effect.discount,
        gifts=[] if reached is None else grants_view(visit, reached.effect),
        add_ons=[] if reached is None else add_ons_view(visit, reached.effect),
    )

"""Products and their promotions as the storefront shows them, at the prices of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from admin.promotions.alone import payable
from admin.promotions.campaign import Campaign
from admin.promotions.effects import Effect, Gift
from admin.promotions.world import Product
from admin.quotes.book import Listing
from admin.storefront.models import ShopAddOn, ShopButton, ShopGift, ShopGrant, ShopProduct
from admin.storefront.visit import Visit


def product_view(visit: Visit, listing: Listing, free: Mapping[str, int]) -> ShopProduct:
    """A product in a list."""
    product = listing.product
    joined = visit.alone.default(product)
    campaign = joined.campaign if joined is not None else None
    return ShopProduct(
        sku=product.sku,
        name=listing.name,
        image=listing.image,
        price=product.price,
        promo_price=payable(product, joined),
        label=campaign.text("label", visit.language) if campaign is not None else None,
        campaign=campaign.code if campaign is not None else None,
        type=campaign.type_name if campaign is not None else None,
        buttons=list(_buttons(visit, product)),
        in_stock=free.get(product.sku, 0) > 0,
    )


def _buttons(visit: Visit, product: Product) -> Iterator[ShopButton]:
    for campaign in visit.book.index.candidates(product.sku, product.categories):
        if campaign.type is None or not campaign.type.own_button or product.sku in campaign.exclude:
            continue
        if visit.running(campaign) or visit.announced(campaign):
            button = _button(visit, campaign, product)
            if button is not None:
                yield button


def _button(visit: Visit, campaign: Campaign, product: Product) -> ShopButton | None:
    price = visit.alone.price_in(campaign, product)
    if price is None:
        return None
    deposit = None
    if not sold_by_gateway(campaign):
        terms = visit.alone.joined(campaign, product).effect.deposit
        deposit = terms.deposit if terms is not None else None
    return ShopButton(
        type=campaign.type_name,
        campaign=campaign.code,
        label=campaign.text("label", visit.language),
        price=price,
        state=state_in(visit, campaign),
        starts_at=visit.resources.iso(campaign.starts_at_ms),
        ends_at=visit.resources.iso(campaign.ends_at_ms),
        offer=f"{campaign.code}-{product.sku}" if sold_by_gateway(campaign) else None,
        deposit=deposit,
    )


def sold_by_gateway(campaign: Campaign) -> bool:
    """Whether the gateway sells what the campaign lists, at its own price."""
    return campaign.type is not None and campaign.type.sold_by_gateway


def state_in(visit: Visit, campaign: Campaign) -> Literal["not_started", "running"]:
    """The state of a campaign that is on or announced."""
    return "running" if campaign.running(visit.now_ms) else "not_started"


def grants_view(visit: Visit, effect: Effect) -> list[ShopGrant]:
    """The gifts of an effect."""
    return [
        ShopGrant(
            choose=grant.choose,
            times=grant.times,
            gifts=[_gift(visit, option) for option in grant.options],
        )
        for grant in effect.grants
    ]


def _gift(visit: Visit, gift: Gift) -> ShopGift:
    name, image = _shown(visit, gift.sku)
    return ShopGift(sku=gift.sku, quantity=gift.quantity, name=name, image=image)


def add_ons_view(visit: Visit, effect: Effect) -> list[ShopAddOn]:
    """The products that an effect offers for less."""
    found = []
    for option in effect.options:
        name, image = _shown(visit, option.sku)
        found.append(ShopAddOn(sku=option.sku, price=option.price, limit=option.limit, name=name, image=image))
    return found


def _shown(visit: Visit, sku: str) -> tuple[str | None, str | None]:
    listing = visit.book.listings.get(sku)
    return (listing.name, listing.image) if listing is not None else (None, None)

"""What the campaigns of a cart let its shopper pick, and what its goods are called: beside the quote, which says
what all of it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pydantic import BaseModel, Field

from admin.promotions import search
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.joined import Joined
from admin.promotions.pricing import Assignment
from admin.promotions.quoting import Quoting
from admin.quotes import facts
from admin.storefront.models import ShopAddOn, ShopGrant
from admin.storefront.product_page import FEW
from admin.storefront.views import add_ons_view, grants_view
from admin.storefront.visit import Visit, sold


class CartProduct(BaseModel):
    """A product of a cart, a gift or an add-on. `left` is told when only few are."""

    sku: str
    name: str
    image: str | None
    price: int
    in_stock: bool
    left: int | None


class CartCampaign(BaseModel):
    """A campaign that lines of the cart join or could join. `gifts` and `add_ons` are what it gives now."""

    code: str
    type: str
    name: str
    label: str | None
    slogan: str | None
    gifts: list[ShopGrant]
    add_ons: list[ShopAddOn]


class CartOptions(BaseModel):
    """Products and campaigns of a cart. Products that are not for sale are left out, unless given away here."""

    products: list[CartProduct]
    campaigns: list[CartCampaign] = Field(description="those that are joined first, in cart order")


def options(visit: Visit, cart: Cart) -> CartOptions:
    """What a cart lets its shopper pick."""
    free = visit.free(facts.touched(visit.book, cart, "").products.keys())
    quoting = Quoting(cart, replace(visit.world, free=free))
    joined = quoting.price(_assignment(quoting)).joined
    skus = [line.sku for line in cart.lines if _for_sale(visit, line.sku)]
    skus += [sku for each in joined.values() for sku in _offered(each)]
    return CartOptions(
        products=[each for sku in dict.fromkeys(skus) for each in _product(visit, sku, free)],
        campaigns=[_campaign(visit, each, joined) for each in _campaigns(quoting, joined)],
    )


def _assignment(quoting: Quoting) -> Assignment:
    """The campaign of each line, chosen as in the cart's quote."""
    if quoting.cart.strategy != "best":
        return quoting.default
    found = search.best(quoting.pricing, quoting.default, quoting.usable())
    return quoting.default if found is None else found.assignment


def _for_sale(visit: Visit, sku: str) -> bool:
    listing = visit.book.listings.get(sku)
    return listing is not None and sold(listing)


def _offered(joined: Joined) -> Iterator[str]:
    effect = joined.effect
    for grant in effect.grants:
        yield from (option.sku for option in grant.options)
    yield from (option.sku for option in effect.options)
    if effect.next is not None:
        yield from (gift.sku for gift in effect.next.gifts)


def _product(visit: Visit, sku: str, free: Mapping[str, int]) -> Iterator[CartProduct]:
    listing, left = visit.book.listings.get(sku), free.get(sku, 0)
    if listing is not None:
        yield CartProduct(
            sku=sku,
            name=listing.name,
            image=listing.image,
            price=listing.product.price,
            in_stock=left > 0,
            left=left if 0 < left <= FEW else None,
        )


def _campaigns(quoting: Quoting, joined: Mapping[str, Joined]) -> Iterable[Campaign]:
    found = {each.campaign.code: each.campaign for each in joined.values()}
    for place in quoting.places:
        for each in place.candidates:
            if each.type is not None and quoting.judge.visible(each):
                found.setdefault(each.code, each)
    return found.values()


def _campaign(visit: Visit, campaign: Campaign, joined: Mapping[str, Joined]) -> CartCampaign:
    there = joined.get(campaign.code)
    return CartCampaign(
        code=campaign.code,
        type=campaign.type_name,
        name=campaign.text("name", visit.language) or campaign.code,
        label=campaign.text("label", visit.language),
        slogan=campaign.text("slogan", visit.language),
        gifts=[] if there is None else grants_view(visit, there.effect),
        add_ons=[] if there is None else add_ons_view(visit, there.effect),
    )

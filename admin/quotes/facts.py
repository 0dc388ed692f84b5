"""What a quote depends on besides the cart, gathered for the engine: no more than it may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.world import Product
from admin.quotes import snapshot
from admin.quotes.book import Book, Reach
from admin.quotes.left import Tally, runs_out, tallies_of
from admin.quotes.looking import CouponWish

REACHES_MAX = 5_000
"""Products of which a book remembers what they may have to do with."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a cart may have to do with: products that exist, as they are and as they are stored, campaigns with
    limits, and its coupon if that may run out. `owner` is who has used of these, empty for nobody.
    """

    products: Mapping[str, Product]
    stored: Mapping[str, orjson.Fragment]
    limited: Mapping[str, Campaign]
    coupon: CouponWish | None
    owner: str

    @property
    def tallies(self) -> list[Tally]:
        """What has to be known to tell what is left of the limits."""
        return [tally for campaign in self.limited.values() for tally in tallies_of(campaign, self.owner)]


def touched(book: Book, cart: Cart, owner: str) -> Touched:
    """The products of a cart, those that somebody chose, and those that the rules of its campaigns name."""
    products: dict[str, Product] = {}
    stored: dict[str, orjson.Fragment] = {}
    limited: dict[str, Campaign] = {}
    for line in cart.lines:
        reach = _reach(book, line.sku)
        if reach is not None:
            products.update(reach.products)
            stored.update(reach.stored)
            for campaign in reach.limited:
                limited[campaign.code] = campaign
    for sku in (*(each.sku for each in cart.add_ons), *(sku for picks in cart.gifts.values() for sku in picks)):
        listing = book.listings.get(sku)
        if listing is not None and sku not in products:
            products[sku] = listing.product
            stored[sku] = snapshot.stored(listing.product)
    return Touched(products, stored, limited, _wish(book, cart.coupon, owner), owner)


def _wish(book: Book, typed: str | None, owner: str) -> CouponWish | None:
    if typed is None:
        return None
    coupon = book.coupons.get(typed)
    if coupon is None:
        # It may be one code of many.
        return None, typed, owner
    return (typed, None, owner) if runs_out(coupon) else None


def _reach(book: Book, sku: str) -> Reach | None:
    known = book.reaches.get(sku)
    listing = book.listings.get(sku)
    if known is not None or listing is None:
        return known
    campaigns = book.index.candidates(sku, listing.product.categories)
    products = {sku: listing.product}
    for campaign in campaigns:
        for named in book.named.get(campaign.code, ()):
            found = book.listings.get(named)
            if found is not None:
                products[named] = found.product
    reach = Reach(
        products,
        {name: snapshot.stored(product) for name, product in products.items()},
        tuple(campaign for campaign in campaigns if campaign.limited),
    )
    if len(book.reaches) >= REACHES_MAX:
        book.reaches.clear()
    # Whoever else computes it at the same time finds the same.
    book.reaches[sku] = reach
    return reach


def civil(instant_ms: int, zone: ZoneInfo) -> date:
    """The date of an instant in the shop's zone."""
    return (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone).date()

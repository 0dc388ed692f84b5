"""What a quote depends on besides the cart, gathered for the engine: no more than it may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Engine

from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.world import Left, Product
from admin.quotes import snapshot
from admin.quotes.book import Book, Reach
from admin.quotes.driver import driver_connection

# One statement, one row: it is asked for every quote, and what it tells belongs together.
_LOOK = {
    "sqlite": "SELECT number, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),"
    " (SELECT json_group_object(sku, stock - reserved) FROM products WHERE sku IN (SELECT value FROM json_each(?)))"
    " FROM change_counter",
    "postgresql": "SELECT number, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT),"
    " (SELECT CAST(json_object_agg(sku, stock - reserved) AS text) FROM products"
    " WHERE sku IN (SELECT json_array_elements_text(CAST(%s AS json))))"
    " FROM change_counter",
}
REACHES_MAX = 5_000
"""Products of which a book remembers what they may have to do with."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Look:
    """The database at an instant of its own clock: the newest change, and what is free of some products."""

    number: int
    now_ms: int
    free: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Touched:
    """What a cart may have to do with: products that exist, as they are and as they are stored, and limits left."""

    products: Mapping[str, Product]
    stored: Mapping[str, orjson.Fragment]
    left: Mapping[str, Left]


def touched(book: Book, cart: Cart) -> Touched:
    """The products of a cart, those that somebody chose, and those that the rules of its campaigns name."""
    products: dict[str, Product] = {}
    stored: dict[str, orjson.Fragment] = {}
    left: dict[str, Left] = {}
    for line in cart.lines:
        reach = _reach(book, line.sku)
        if reach is not None:
            products.update(reach.products)
            stored.update(reach.stored)
            for campaign in reach.limited:
                left[campaign.code] = left_of(campaign)
    for sku in (*(each.sku for each in cart.add_ons), *(sku for picks in cart.gifts.values() for sku in picks)):
        listing = book.listings.get(sku)
        if listing is not None and sku not in products:
            products[sku] = listing.product
            stored[sku] = snapshot.stored(listing.product)
    return Touched(products, stored, left)


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
        tuple(campaign for campaign in campaigns if campaign.limits is not None),
    )
    if len(book.reaches) >= REACHES_MAX:
        book.reaches.clear()
    # Whoever else computes it at the same time finds the same.
    book.reaches[sku] = reach
    return reach


def left_of(campaign: Campaign) -> Left:
    """What is left of a campaign's limits: all of it, as long as no order uses any."""
    limits = campaign.limits
    assert limits is not None
    return Left(total=limits.total, per_shopper=limits.per_shopper, budget=limits.budget)


def look(engine: Engine, skus: Any) -> Look:
    """Read what no book has: stock, and how new the newest change is.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    statement = _LOOK[engine.dialect.name]
    wanted = orjson.dumps(list(skus)).decode()
    with driver_connection(engine) as connection:
        row = connection.execute(statement, (wanted,)).fetchone()
    number, now_ms, free = row
    return Look(number, now_ms, orjson.loads(free) if free else {})


def civil(instant_ms: int, zone: ZoneInfo) -> date:
    """The date of an instant in the shop's zone."""
    return (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone).date()

"""The shop as prices and lists need it: one immutable value in memory, made from another by what changed since.

Campaigns, coupons and categories come from the record of changes, products from their table. A book is a whole
state of the shop at the number of a change: whoever holds one never sees half of a change.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

from admin import changes
from admin.catalog.tables import products
from admin.promotions.campaign import Campaign, read_campaign
from admin.promotions.coupon import Coupon, read_coupon
from admin.promotions.index import CampaignIndex
from admin.promotions.world import Product

REFILED_MAX = 200
"""With more changed campaigns than this a new index costs less than filing each into the old one."""
ROWS_AT_ONCE = 10_000
_PRODUCTS = select(
    products.c.sku,
    products.c.name,
    products.c.price,
    products.c.category,
    products.c.tags,
    products.c.image,
    products.c.gift_only,
    products.c.on_sale,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """A product: what prices depend on, and what lists show of it besides."""

    product: Product
    name: str
    image: str | None
    tags: tuple[str, ...]
    category: str | None


@dataclass(frozen=True, slots=True)
class Reach:
    """What a product on a line may have to do with: itself and what the rules of its campaigns name, as they are
    and as snapshots store them, and those of its campaigns that have limits.
    """

    products: Mapping[str, Product]
    stored: Mapping[str, orjson.Fragment]
    limited: tuple[Campaign, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """The shop just after the change `number`. Nothing in it is ever changed; `reaches` only remembers what was
    computed from the rest.
    """

    number: int
    currency: str
    index: CampaignIndex
    named: Mapping[str, tuple[str, ...]]
    """By code, of campaigns that were published and not terminated: the products that their rules name."""
    coupons: Mapping[str, Coupon]
    """By code; one that this version cannot read is not here."""
    parents: Mapping[str, str | None]
    """Of categories: the one above."""
    listings: Mapping[str, Listing]
    """Every product by SKU."""
    reaches: dict[str, Reach] = field(default_factory=dict, compare=False)

    def path(self, category: str | None) -> tuple[str, ...]:
        """A category and all above it; one that is not in the tree stands alone."""
        if category is None:
            return ()
        found = [category]
        above = self.parents.get(category)
        while above is not None and above not in found:
            found.append(above)
            above = self.parents.get(above)
        return tuple(found)


def read_book(connection: Connection, currency: str) -> Book:
    """The whole shop as it is. The connection must see one state of the database throughout."""
    number = changes.newest_number(connection)
    index, named = _indexed(
        read_campaign(row.subject, row.body, currency) for row in changes.as_of(connection, "campaign")
    )
    coupons = {row.subject: _coupon(row) for row in changes.as_of(connection, "coupon")}
    bare = Book(
        number=number,
        currency=currency,
        index=index,
        named=named,
        coupons={code: coupon for code, coupon in coupons.items() if coupon is not None},
        parents={row.subject: row.body.get("parent") for row in changes.as_of(connection, "category")},
        listings={},
    )
    rows = connection.execute(_PRODUCTS.execution_options(yield_per=ROWS_AT_ONCE))
    return _with(bare, listings=_listings(bare, rows))


def catch_up(connection: Connection, book: Book) -> Book:
    """A book with everything that changed after `book`. The connection must see one state of the database."""
    number = changes.newest_number(connection)
    if number <= book.number:
        return book
    newest = {(row.kind, row.subject): row for row in changes.since(connection, book.number)}
    changed: dict[str, dict[str, Row[Any]]] = {"campaign": {}, "coupon": {}, "category": {}, "product": {}}
    for (kind, subject), row in newest.items():
        changed.setdefault(kind, {})[subject] = row
    rows = connection.execute(_PRODUCTS.where(products.c.changed > book.number)).all()
    index, named = _campaigns_changed(book, changed["campaign"])
    after = _with(
        book,
        number=number,
        index=index,
        named=named,
        coupons=_merged(book.coupons, {code: _coupon(row) for code, row in changed["coupon"].items()}),
        parents=_parents_changed(book, changed["category"]),
    )
    moved = _moved(book, after) if changed["category"] else {}
    if not rows and not moved and not changed["product"]:
        return after
    # The record of products has those that went away; one that came back has a row again.
    gone: dict[str, Listing | None] = dict.fromkeys(changed["product"])
    return _with(after, listings=_merged(book.listings, {**moved, **gone, **_listings(after, rows)}))


def _with(book: Book, **parts: Any) -> Book:
    fields = {name: getattr(book, name) for name in Book.__slots__ if name != "reaches"}
    return Book(**{**fields, **parts})


def _merged(known: Mapping[str, Any], changed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Another mapping in which some values are different, new or (None) gone.

    A copy of a hundred thousand entries takes a millisecond or two, which changes are rare enough for; readers of
    the old mapping are left alone and need no lock.
    """
    if not changed:
        return known
    merged = dict(known)
    for name, value in changed.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def _indexed(campaigns: Iterable[Campaign]) -> tuple[CampaignIndex, Mapping[str, tuple[str, ...]]]:
    found = list(campaigns)
    named = {campaign.code: _named(campaign) for campaign in found}
    return CampaignIndex(found), {code: skus for code, skus in named.items() if skus}


def _campaigns_changed(
    book: Book, rows: Mapping[str, Row[Any]]
) -> tuple[CampaignIndex, Mapping[str, tuple[str, ...]]]:
    if not rows:
        return book.index, book.named
    read = {
        code: None if row.body is None else read_campaign(code, row.body, book.currency)
        for code, row in rows.items()
    }
    if len(read) > REFILED_MAX:
        kept = (campaign for campaign in book.index.all() if campaign.code not in read)
        return _indexed((*kept, *(campaign for campaign in read.values() if campaign is not None)))
    named = {code: (_named(campaign) or None) if campaign is not None else None for code, campaign in read.items()}
    return book.index.changed(read), _merged(book.named, named)


def _named(campaign: Campaign) -> tuple[str, ...]:
    if campaign.broken is not None or campaign.type is None or campaign.draft or campaign.terminated:
        return ()
    return tuple(dict.fromkeys(campaign.type.named(campaign.rule)))


def _coupon(row: Row[Any]) -> Coupon | None:
    if row.body is None:
        return None
    try:
        return read_coupon(row.subject, row.body)
    except (ValueError, TypeError, KeyError):
        _log.warning("the coupon %s was stored by another version and cannot be read", row.subject)
        return None


def _parents_changed(book: Book, rows: Mapping[str, Row[Any]]) -> Mapping[str, str | None]:
    if not rows:
        return book.parents
    parents = {category: above for category, above in book.parents.items() if category not in rows}
    parents.update({category: row.body.get("parent") for category, row in rows.items() if row.body is not None})
    return parents


def _moved(before: Book, after: Book) -> dict[str, Listing]:
    """Products whose categories lie elsewhere in the tree now."""
    paths = {category: after.path(category) for category in before.parents.keys() | after.parents.keys()}
    moved = {category: path for category, path in paths.items() if path != before.path(category)}
    if not moved:
        return {}
    return {
        sku: Listing(_product(each.product, moved[each.category]), each.name, each.image, each.tags, each.category)
        for sku, each in before.listings.items()
        if each.category in moved
    }


def _product(about: Any, categories: tuple[str, ...]) -> Product:
    return Product(about.sku, about.price, categories, bool(about.gift_only), bool(about.on_sale))


def _listings(book: Book, rows: Iterable[Any]) -> dict[str, Listing]:
    # Products of one category share their path, and those with the same tags share these.
    paths: dict[str | None, tuple[str, ...]] = {}
    tags: dict[tuple[str, ...], tuple[str, ...]] = {}
    found = {}
    for row in rows:
        category = row.category
        if category not in paths:
            paths[category] = book.path(category)
        own = tuple(row.tags)
        path = paths[category]
        found[row.sku] = Listing(
            _product(row, path),
            row.name,
            row.image,
            tags.setdefault(own, own),
            path[0] if path else None,
        )
    return found

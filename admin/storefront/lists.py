"""Lists of products in any order, in pages that stay where they are while the shop changes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlalchemy import select

from admin.catalog.tables import products
from admin.paging import read_cursor, write_cursor
from admin.quotes.book import Listing
from admin.storefront.models import ShopFilter, ShopProductPage, Sort
from admin.storefront.searching import Test, plain, tests
from admin.storefront.views import product_view
from admin.storefront.visit import Visit, sold
from gateway.orders.database import reading

NAME_KEY_MAX = 48
"""Characters of a name that count when sorting: a cursor carries them."""

Key = tuple[int, str] | tuple[str, str]


def page(visit: Visit, wanted: ShopFilter) -> ShopProductPage:
    """A page of the products that shoppers may buy.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    shown, following = select_page(visit, wanted.sort, wanted.cursor, wanted.limit, tests(visit, wanted))
    free = visit.free([each.product.sku for each in shown])
    return ShopProductPage(
        currency=visit.world.currency,
        items=[product_view(visit, each, free) for each in shown],
        next=following,
    )


def select_page(
    visit: Visit, sort: Sort | None, cursor: str | None, limit: int, wanted: Sequence[Test]
) -> tuple[list[Listing], str | None]:
    """The products of a page in order, and the cursor of the next page.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    found: list[Listing] = []
    last = ""
    for text, listing in _from(visit, sort, cursor):
        if not sold(listing) or not all(test(listing) for test in wanted):
            continue
        if len(found) == limit:
            return found, last
        found.append(listing)
        last = text() if len(found) == limit else ""
    return found, None


def _from(visit: Visit, sort: Sort | None, cursor: str | None) -> Iterator[tuple[Callable[[], str], Listing]]:
    """Products in order from a cursor on, each with the cursor that points behind it."""
    listings = visit.book.listings
    if sort is None:
        place = read_cursor(cursor, str)
        order = visit.resources.shelf.skus.of(listings)
        start = 0 if place is None else bisect_right(order, str(place[0]))
        for at in range(start, len(order)):
            sku = order[at]
            yield (lambda sku=sku: write_cursor(sku)), listings[sku]  # type: ignore[misc]
        return
    kind = str if sort == "name" else int
    position = read_cursor(cursor, kind, str)
    keys = _keys(visit, sort)
    begin = 0 if position is None else bisect_right(keys, (position[0], str(position[1])))
    for at in range(begin, len(keys)):
        key = keys[at]
        yield (lambda key=key: write_cursor(*key)), listings[key[1]]  # type: ignore[misc]


def _keys(visit: Visit, sort: Sort) -> Sequence[Key]:
    """What products are sorted by, in order."""
    shelf, listings = visit.resources.shelf, visit.book.listings
    if sort in {"promo_price", "-promo_price"}:
        prices = shelf.prices.get(visit.alone, listings, visit.lineup())
        return prices.order(-1 if sort == "-promo_price" else 1)
    return shelf.orders.get((listings,), sort, lambda: _made(visit, sort))


def _made(visit: Visit, sort: Sort) -> Sequence[Key]:
    listings = visit.book.listings
    if sort == "name":
        return sorted((plain(each.name)[:NAME_KEY_MAX], sku) for sku, each in listings.items())
    if sort == "newest":
        with reading(visit.resources.engine) as connection:
            rows = connection.execute(select(products.c.sku, products.c.created_at_ms)).all()
        made = {row.sku: row.created_at_ms for row in rows}
        return _sorted({sku: made.get(sku, 0) for sku in listings}, descending=True)
    prices = {sku: each.product.price for sku, each in listings.items()}
    return _sorted(prices, descending=sort == "-price")


def _sorted(values: Mapping[str, int], *, descending: bool) -> Sequence[Key]:
    sign = -1 if descending else 1
    return sorted((sign * value, sku) for sku, value in values.items())

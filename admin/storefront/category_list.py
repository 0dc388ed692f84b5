"""The tree of categories as shoppers walk through it."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select

from admin.catalog.tables import categories
from admin.storefront.visit import Visit, sold
from admin.storefront.window_models import ShopCategories, ShopCategory
from gateway.orders.database import reading


def read(visit: Visit) -> ShopCategories:
    """Categories that have products on sale."""
    source = (visit.book.listings, visit.book.parents)
    made = visit.resources.shelf.counts.get(source, visit.language, lambda: _made(visit))
    return ShopCategories(items=made, next=None)


def _made(visit: Visit) -> list[ShopCategory]:
    counts: Counter[str] = Counter()
    for listing in visit.book.listings.values():
        if sold(listing):
            counts.update(listing.product.categories)
    with reading(visit.resources.engine) as connection:
        rows = {row.id: row for row in connection.execute(select(categories))}

    def name(category: str) -> str:
        row = rows.get(category)
        if row is None:
            # A product may name a category that is not in the tree.
            return category
        typed = row.texts.get(visit.language)
        return str(typed["name"] if typed else row.name)

    def path(category: str) -> tuple[tuple[int, str, str], ...]:
        steps: list[tuple[int, str, str]] = []
        above: str | None = category
        while above is not None:
            row = rows.get(above)
            steps.append((row.position if row is not None else 0, name(above), above))
            above = row.parent if row is not None else None
        return tuple(reversed(steps))

    return [
        ShopCategory(
            id=each,
            name=name(each),
            parent=rows[each].parent if each in rows else None,
            products=counts[each],
        )
        for each in sorted(counts, key=path)
    ]

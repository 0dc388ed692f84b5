"""A cart in the shop as it would be with a draft published. Nothing is written, and nothing can be ordered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from admin.gate import service
from admin.promotions.campaign import Campaign
from admin.quotes.book import Book
from admin.quotes.quoting import Asked, Quoter
from admin.resources import Resources
from gateway.orders.database import now_ms, reading


def try_cart(resources: Resources, code: str, asked: Asked) -> dict[str, Any]:
    """What a cart would cost with the draft in the shop: now, or when the draft begins, or at a named moment.

    Raises:
        NotFound, Conflict: there is no such campaign, or it is published already.
        Invalid: the draft is not settled yet.
    """
    book = resources.books.fresh()
    with reading(resources.engine) as connection:
        draft = service.published(resources, connection, code)
        at_ms = max(now_ms(connection), draft.starts_at_ms) if asked.at_ms is None else asked.at_ms
    quoter, wanted = Quoter(resources), replace(asked, at_ms=at_ms)
    return quoter.compute(wanted, quoter.imagine(_with(book, draft), wanted), 0).result


def _with(book: Book, draft: Campaign) -> Book:
    """A shop in which a draft is published."""
    named = () if draft.type is None else tuple(draft.type.named(draft.rule))
    return replace(
        book,
        index=book.index.changed({draft.code: draft}),
        named={**book.named, draft.code: named},
        reaches={},
    )

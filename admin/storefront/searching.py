"""Which products a shopper looks for: by words, by promotion, by category."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import select

from admin.catalog.tables import categories
from admin.promotions.campaign import Campaign
from admin.promotions.index import CampaignIndex
from admin.promotions.model import PromotionType
from admin.promotions.world import Product
from admin.quotes.book import Listing
from admin.storefront.models import ShopFilter
from admin.storefront.visit import Visit
from gateway.orders.database import reading

Test = Callable[[Listing], bool]
_FORGOTTEN = 10_000
"""Texts of products and campaigns that are gone, before all texts are made anew."""


class Reach:
    """Which products some campaigns hold."""

    def __init__(self, index: CampaignIndex, campaigns: Iterable[Campaign]) -> None:
        self._index = index
        self._codes = {each.code for each in campaigns}
        self._wide: dict[tuple[str, ...], list[Campaign]] = {}

    def holds(self, product: Product) -> bool:
        """Whether one of them does."""
        if not self._codes:
            return False
        path = product.categories
        if path not in self._wide:
            self._wide[path] = [each for each in self._index.covering(path) if each.code in self._codes]
        if any(product.sku not in each.exclude for each in self._wide[path]):
            return True
        return any(
            each.code in self._codes and product.sku not in each.exclude
            for each in self._index.listing(product.sku)
        )


def tests(visit: Visit, wanted: ShopFilter) -> list[Test]:
    """What a product must pass; the quickest test first."""
    found: list[Test] = []
    if wanted.category is not None:
        category = wanted.category
        found.append(lambda listing: category in listing.product.categories)
    if wanted.campaign is not None:
        campaign = visit.book.index.get(wanted.campaign)
        found.append(_held(visit, [campaign] if campaign is not None else []))
    if wanted.type is not None:
        found.append(_held(visit, (each for each in visit.book.index.all() if each.type_name == wanted.type)))
    if wanted.q is not None:
        found += [_about(visit, word) for word in dict.fromkeys(plain(wanted.q).split())]
    return found


def plain(text: str) -> str:
    """A text as it is compared: neither case nor full-width forms make a difference."""
    return unicodedata.normalize("NFKC", text).casefold()


def _held(visit: Visit, campaigns: Iterable[Campaign]) -> Test:
    """By campaigns that are on for this shopper; those with a button of their own also when they are announced."""
    joinable = [
        each
        for each in campaigns
        if visit.running(each) or (each.type is not None and each.type.own_button and visit.announced(each))
    ]
    reach = Reach(visit.book.index, joinable)
    return lambda listing: reach.holds(listing.product)


def _about(visit: Visit, word: str) -> Test:
    """A word of the product's own texts, of its categories, or of a campaign that is on for this shopper."""
    named = {category for category, text in _category_texts(visit).items() if word in text}
    _prune(visit.resources.shelf.campaign_texts, len(visit.book.index))
    campaigns = (each for each in visit.lineup().on if word in _campaign_text(visit, each) and visit.running(each))
    reach = Reach(visit.book.index, campaigns)
    text_of = _product_texts(visit)

    def test(listing: Listing) -> bool:
        return (
            word in text_of(listing)
            or (bool(named) and not named.isdisjoint(listing.product.categories))
            or reach.holds(listing.product)
        )

    return test


def _product_texts(visit: Visit) -> Callable[[Listing], str]:
    known = visit.resources.shelf.product_texts
    _prune(known, len(visit.book.listings))

    def text_of(listing: Listing) -> str:
        found = known.get(listing.product.sku)
        if found is None or found[0] is not listing:
            text = "\n".join((listing.product.sku, listing.name, *listing.tags))
            found = known[listing.product.sku] = (listing, plain(text))
        return found[1]

    return text_of


def _campaign_text(visit: Visit, campaign: Campaign) -> str:
    known = visit.resources.shelf.campaign_texts
    found = known.get(campaign.code)
    if found is None or found[0] is not campaign:
        assert campaign.type is not None
        texts = [campaign.name, campaign.slogan, campaign.label, *type_words(campaign.type)]
        if campaign.label is None:
            texts += campaign.labels.values()
        for typed in campaign.texts.values():
            texts += typed.values()
        found = known[campaign.code] = (campaign, plain("\n".join(text for text in texts if text)))
    return found[1]


def type_words(promotion: PromotionType) -> tuple[str, ...]:
    """What shoppers may call a type."""
    return (promotion.name, *promotion.title.values(), *promotion.words)


def _prune(known: dict[str, tuple[object, str]], present: int) -> None:
    if len(known) > present + _FORGOTTEN:
        known.clear()


def _category_texts(visit: Visit) -> Mapping[str, str]:
    return visit.resources.shelf.categories.get((visit.book.parents,), "", lambda: _read_categories(visit))


def _read_categories(visit: Visit) -> Mapping[str, str]:
    with reading(visit.resources.engine) as connection:
        rows = connection.execute(select(categories.c.id, categories.c.name, categories.c.texts)).all()
    return {row.id: plain("\n".join((row.name, *(texts["name"] for texts in row.texts.values())))) for row in rows}

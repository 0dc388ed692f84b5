"""One request to the storefront: the shop as this shopper sees it at this instant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from admin.campaigns.views import preferred
from admin.members.facts import facts_of
from admin.promotions.alone import Alone
from admin.promotions.audience import GUEST, Shopper, refuses
from admin.promotions.campaign import Campaign
from admin.promotions.model import Channel
from admin.promotions.world import Product, World
from admin.quotes.book import Book, Listing
from admin.quotes.facts import civil
from admin.quotes.looking import look
from admin.resources import Resources
from admin.routing import Call
from admin.storefront.lineup import Lineup
from gateway import tokens
from gateway.orders.database import reading


class Products(Mapping[str, Product]):
    """The products of a book as the engine wants them."""

    def __init__(self, listings: Mapping[str, Listing]) -> None:
        self._listings = listings

    def __getitem__(self, sku: str) -> Product:
        return self._listings[sku].product

    def __iter__(self) -> Iterator[str]:
        return iter(self._listings)

    def __len__(self) -> int:
        return len(self._listings)


@dataclass(frozen=True, slots=True)
class Visit:
    """The shop for one shopper at one instant; its world knows no stock, which no price here depends on."""

    resources: Resources
    book: Book
    world: World
    alone: Alone
    channel: Channel
    store: str | None

    @property
    def now_ms(self) -> int:
        """The instant, of the database's clock."""
        return self.world.now_ms

    @property
    def language(self) -> str:
        """Of texts that are not typed."""
        return self.world.language

    def listing(self, sku: str) -> Listing | None:
        """A product that is for sale."""
        found = self.book.listings.get(sku)
        return found if found is not None and sold(found) else None

    def lineup(self) -> Lineup:
        """The campaigns that are on."""
        return self.resources.shelf.lineups.at(self.book.index, self.now_ms)

    def running(self, campaign: Campaign) -> bool:
        """Whether a campaign is on for this shopper, and not used up."""
        return self.alone.judge.closed(campaign) is None

    def announced(self, campaign: Campaign) -> bool:
        """Whether a campaign is to come for this shopper."""
        return (
            campaign.announced(self.now_ms)
            and self.alone.judge.visible(campaign)
            and refuses(campaign.audience, self.world.shopper, self.world.today) is None
        )

    def free(self, skus: Any) -> Mapping[str, int]:
        """Units of products that may still be sold."""
        return look(self.resources.engine, skus).free


def sold(listing: Listing) -> bool:
    """Whether shoppers may buy a product."""
    return listing.product.on_sale and not listing.product.gift_only


def enter(call: Call, channel: Channel = "web", store: str | None = None) -> Visit:
    """The shop as whoever calls sees it now, with every change that is answered by now.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    resources = call.resources
    seen = look(resources.engine, ())
    book = resources.books.at_least(seen.number)
    owner = call.shopper if call.signed_in is not None else ""
    world = World(
        now_ms=seen.now_ms,
        today=civil(seen.now_ms, resources.zone),
        index=book.index,
        products=Products(book.listings),
        free={},
        shopper=_shopper(resources, call.signed_in, seen.now_ms),
        left=resources.shelf.rations.left(
            resources.engine, book.index, resources.shelf.lineups.at(book.index, seen.now_ms), owner
        ),
        zone=resources.zone,
        currency=resources.currency,
        language=preferred(call.languages),
    )
    return Visit(resources, book, world, Alone(world, channel, store), channel, store)


def _shopper(resources: Resources, signed_in: tokens.Shopper | None, now_ms: int) -> Shopper:
    if signed_in is None:
        return GUEST
    with reading(resources.engine) as connection:
        return facts_of(connection, signed_in, now_ms, resources.zone)

"""What the gateway sells now and soon, with what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sqlalchemy import select

from admin.promotions.audience import refuses
from admin.promotions.campaign import Campaign
from admin.quotes.book import Listing
from admin.sessions.tables import sessions
from admin.storefront.campaign_page import state_of
from admin.storefront.paged import Place, begin
from admin.storefront.views import sold_by_gateway
from admin.storefront.visit import Visit
from admin.storefront.window_models import FlashFilter, FlashSale, FlashSales
from gateway.offers import Offer
from gateway.orders.database import reading

Found = tuple[Place, Campaign, Listing]


def read(visit: Visit, wanted: FlashFilter) -> FlashSales:
    """A page of the flash sales that are open to this shopper.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    after = begin(wanted.cursor)
    found = sorted(
        (each for each in _found(visit, wanted) if after is None or each[0] > after), key=lambda each: each[0]
    )
    shown = found[: wanted.limit]
    figures = visit.resources.shelf.figures.of(visit.resources.redis, [_offer(*each[1:]) for each in shown])
    names = _session_names(visit) if any(_session(each) for _, each, _ in shown) else {}
    made = (
        _sale(visit, campaign, listing, figures.get(_offer(campaign, listing)), names)
        for _, campaign, listing in shown
    )
    return FlashSales(
        server_time=visit.resources.iso(visit.now_ms),
        currency=visit.world.currency,
        items=[each for each in made if each is not None],
        next=shown[-1][0].cursor() if len(found) > len(shown) else None,
    )


def _found(visit: Visit, wanted: FlashFilter) -> Iterator[Found]:
    for campaign in visit.book.index.all():
        if wanted.campaign not in {None, campaign.code} or not _shown(visit, campaign):
            continue
        starts_at_ms = campaign.starts_at_ms if visit.now_ms < campaign.starts_at_ms else 0
        for number, sku in enumerate(campaign.items):
            listing = visit.listing(sku)
            if listing is None or sku in campaign.exclude or wanted.sku not in {None, sku}:
                continue
            if wanted.category is None or wanted.category in listing.product.categories:
                place = Place(starts_at_ms, campaign.rank[0], f"{campaign.code} {number:06}")
                yield place, campaign, listing


def _shown(visit: Visit, campaign: Campaign) -> bool:
    if campaign.broken is not None or campaign.draft or not sold_by_gateway(campaign):
        return False
    open_to = refuses(campaign.audience, visit.world.shopper, visit.world.today) is None
    return open_to and state_of(campaign, visit.now_ms) != "ended"


def _offer(campaign: Campaign, listing: Listing) -> str:
    return f"{campaign.code}-{listing.product.sku}"


def _session(campaign: Campaign) -> str | None:
    session = getattr(campaign.rule, "session", None)
    return None if session is None else session.id


def _session_names(visit: Visit) -> dict[str | None, str]:
    with reading(visit.resources.engine) as connection:
        return {row.id: row.name for row in connection.execute(select(sessions.c.id, sessions.c.name))}


def _sale(
    visit: Visit, campaign: Campaign, listing: Listing, held: Offer | None, names: dict[str | None, str]
) -> FlashSale | None:
    price = visit.alone.price_in(campaign, listing.product)
    if price is None:
        return None
    return FlashSale(
        offer=_offer(campaign, listing),
        campaign=campaign.code,
        sku=listing.product.sku,
        name=listing.name,
        image=listing.image,
        category=listing.category,
        title=campaign.text("name", visit.language) or campaign.code,
        slogan=campaign.text("slogan", visit.language),
        session=names.get(_session(campaign)),
        price=price,
        original_price=listing.product.price,
        limit=campaign.own_limit or 1,
        state=_state(visit, campaign, held),
        starts_at=visit.resources.iso(campaign.starts_at_ms),
        ends_at=visit.resources.iso(campaign.ends_at_ms),
        stock=None if held is None else held.stock,
        left=None if held is None else held.left,
        sold_percent=None if held is None else 100 * held.held // held.stock if held.stock else 0,
        last_sale_at=visit.resources.iso(held.sold_at_ms) if held is not None and held.sold_at_ms else None,
    )


def _state(
    visit: Visit, campaign: Campaign, held: Offer | None
) -> Literal["upcoming", "running", "paused", "sold_out"]:
    state = state_of(campaign, visit.now_ms)
    if state == "paused":
        return "paused"
    if state == "not_started":
        return "upcoming"
    return "sold_out" if held is not None and held.left <= 0 else "running"

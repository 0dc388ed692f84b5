"""What a campaign's page shows: its terms in words and its products with prices."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select

from admin.campaigns.tables import campaigns
from admin.errors import NotFound
from admin.promotions.audience import refuses
from admin.promotions.campaign import Campaign
from admin.promotions.choosing import outside
from admin.promotions.model import LANGUAGES
from admin.promotions.reasons import reason
from admin.promotions.words import Reader, in_words
from admin.quotes.book import Listing
from admin.storefront.lists import select_page
from admin.storefront.models import CampaignGood, CampaignGoodsFilter, ShopCampaign
from admin.storefront.searching import Reach
from admin.storefront.views import product_view
from admin.storefront.visit import Visit
from gateway.orders.database import reading

State = Literal["not_started", "running", "paused", "ended"]


def read(visit: Visit, code: str, wanted: CampaignGoodsFilter) -> ShopCampaign:
    """A campaign with a page of its products, by SKU.

    Raises:
        NotFound: there is none, or it is a draft, archived, not for this channel or not readable.
        Invalid: the cursor is not one of this list.
    """
    campaign = published(visit, code)
    promotion = campaign.type
    assert promotion is not None
    reach = Reach(visit.book.index, [campaign])
    test = [lambda listing: reach.holds(listing.product)]
    shown, following = select_page(visit, None, wanted.cursor, wanted.limit, test)
    free = visit.free([each.product.sku for each in shown])
    state, why = state_of(campaign, visit.now_ms), why_closed(visit, campaign)
    names = visit.book.listings
    reader = Reader(
        visit.language,
        visit.world.currency,
        visit.resources.zone,
        lambda sku: names[sku].name if sku in names else sku,
    )
    return ShopCampaign(
        code=campaign.code,
        type=campaign.type_name,
        name=campaign.text("name", visit.language) or campaign.code,
        slogan=campaign.text("slogan", visit.language),
        label=campaign.text("label", visit.language),
        starts_at=visit.resources.iso(campaign.starts_at_ms),
        ends_at=visit.resources.iso(campaign.ends_at_ms),
        state=state,
        title=promotion.title.get(visit.language, promotion.title[LANGUAGES[0]]),
        sentence=promotion.sentence.get(visit.language, promotion.sentence[LANGUAGES[0]]),
        rule=in_words(promotion.form, campaign.rule, reader),
        open=why is None,
        reason=None if why is None else reason(why, visit.language),
        currency=visit.world.currency,
        server_time=visit.resources.iso(visit.now_ms),
        items=[
            CampaignGood(
                **product_view(visit, each, free).model_dump(),
                campaign_price=_price(visit, campaign, each, state),
            )
            for each in shown
        ],
        next=following,
    )


def state_of(campaign: Campaign, now_ms: int) -> State:
    """The state of a published campaign at an instant."""
    if campaign.terminated or campaign.ends_at_ms <= now_ms:
        return "ended"
    if campaign.paused:
        return "paused"
    return "not_started" if now_ms < campaign.starts_at_ms else "running"


def published(visit: Visit, code: str) -> Campaign:
    """A campaign that shoppers may look at.

    Raises:
        NotFound: there is none, or it is a draft, archived, not for this channel or not readable.
    """
    campaign = visit.book.index.get(code)
    with reading(visit.resources.engine) as connection:
        archived = connection.execute(
            select(campaigns.c.archived).where(campaigns.c.code == code)
        ).scalar_one_or_none()
    if (
        campaign is None
        or campaign.broken is not None
        or campaign.draft
        or archived is not False
        or outside(campaign, visit.channel, visit.store) is not None
    ):
        raise NotFound(f"there is no campaign {code}")
    return campaign


def why_closed(visit: Visit, campaign: Campaign) -> str | None:
    """The code of the reason why this shopper may not take part now; None who may."""
    closed = visit.alone.judge.closed(campaign)
    if closed is None:
        return None
    if campaign.announced(visit.now_ms):
        # Who will not be let in hears of that rather than of the start.
        return refuses(campaign.audience, visit.world.shopper, visit.world.today) or closed.reason
    return closed.reason


def _price(visit: Visit, campaign: Campaign, listing: Listing, state: State) -> int | None:
    return None if state == "ended" else visit.alone.price_in(campaign, listing.product)

"""Promotions that a shopper may hear of."""

from __future__ import annotations

from collections.abc import Iterator

from admin.promotions.campaign import Campaign
from admin.promotions.model import LANGUAGES
from admin.storefront.paged import Place, begin
from admin.storefront.views import state_in
from admin.storefront.visit import Visit
from admin.storefront.window_models import ShopCampaignFilter, ShopCampaignPage, ShopCampaignSummary


def page(visit: Visit, wanted: ShopCampaignFilter) -> ShopCampaignPage:
    """A page of the campaigns that are on or announced, and open to this shopper.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    after = begin(wanted.cursor)
    found = sorted(
        (each for each in _found(visit, wanted) if after is None or each[0] > after), key=lambda each: each[0]
    )
    shown = found[: wanted.limit]
    return ShopCampaignPage(
        server_time=visit.resources.iso(visit.now_ms),
        items=[_summary(visit, campaign) for _, campaign in shown],
        next=shown[-1][0].cursor() if len(found) > len(shown) else None,
    )


def _found(visit: Visit, wanted: ShopCampaignFilter) -> Iterator[tuple[Place, Campaign]]:
    for campaign in visit.book.index.all():
        if campaign.type is None or campaign.broken is not None or wanted.type not in {None, campaign.type_name}:
            continue
        if visit.running(campaign):
            yield Place(0, campaign.rank[0], campaign.code), campaign
        elif visit.announced(campaign):
            yield Place(campaign.starts_at_ms, campaign.rank[0], campaign.code), campaign


def _summary(visit: Visit, campaign: Campaign) -> ShopCampaignSummary:
    assert campaign.type is not None
    titles = campaign.type.title
    return ShopCampaignSummary(
        code=campaign.code,
        type=campaign.type_name,
        title=titles.get(visit.language, titles[LANGUAGES[0]]),
        name=campaign.text("name", visit.language) or campaign.code,
        slogan=campaign.text("slogan", visit.language),
        label=campaign.text("label", visit.language),
        state=state_in(visit, campaign),
        starts_at=visit.resources.iso(campaign.starts_at_ms),
        ends_at=visit.resources.iso(campaign.ends_at_ms),
    )

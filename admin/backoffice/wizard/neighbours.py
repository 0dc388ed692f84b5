"""The campaigns just before and just after one, in the order in which a product joins them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from admin.campaigns.models import Campaign, CampaignSummary
from admin.pages.asking import ask_all
from admin.promotions import registry

LOOKED_AT_MAX = 500


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Published campaigns that are not over, and the place of one among them. Own buttons have no place."""

    before: list[CampaignSummary]
    after: list[CampaignSummary]


async def neighbours(request: Request, campaign: Campaign, *, shown: int = 2) -> Neighbours:
    """Those that go just before and just after, nearest to the campaign."""
    others: list[CampaignSummary] = []
    for state in ("running", "not_started"):
        others += await ask_all(request, "list_campaigns", query={"state": state}, most=LOOKED_AT_MAX)
    ranked = sorted(
        (each for each in others if each.code != campaign.code and not _own_button(each)),
        key=_rank,
    )
    mine = _rank(campaign)
    before = [each for each in ranked if _rank(each) < mine]
    after = [each for each in ranked if _rank(each) > mine]
    return Neighbours(before[-shown:], after[:shown])


def _own_button(campaign: CampaignSummary) -> bool:
    promotion = registry.available().get(campaign.type)
    return promotion is None or promotion.own_button


def _rank(campaign: CampaignSummary) -> tuple[int, float, str]:
    starts = 0.0 if campaign.starts_at is None else datetime.fromisoformat(campaign.starts_at).timestamp()
    return -campaign.priority, -starts, campaign.code

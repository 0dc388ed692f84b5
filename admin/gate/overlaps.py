"""Other campaigns of the same goods at the same time: who goes first, and which goods nobody gets by default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from admin.gate.goods import Goods
from admin.promotions.campaign import Campaign
from admin.promotions.index import CampaignIndex
from admin.promotions.world import Product

Why = Literal["priority", "start", "code", "own_button"]

FIRST_DAY = date(1970, 1, 1)
"""Nobody is known to have been a member before."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another campaign with the goods that both hold; `first` says whether it goes before the draft."""

    other: Campaign
    shared: tuple[str, ...]
    first: bool
    why: Why


def overlaps(draft: Campaign, goods: Goods, others: Iterable[Campaign], now_ms: int) -> list[Overlap]:
    """Campaigns that compete with a draft, in order of rank."""
    found = []
    for other in others:
        if other.code == draft.code or not _competes(draft, other, now_ms):
            continue
        shared = goods.shared(other)
        if shared:
            found.append(Overlap(other, tuple(shared), other.rank < draft.rank, _why(draft, other)))
    found.sort(key=lambda each: each.other.rank)
    return found


def _competes(draft: Campaign, other: Campaign, now_ms: int) -> bool:
    if other.broken is not None or other.draft or other.terminated or other.ends_at_ms <= now_ms:
        return False
    if other.starts_at_ms >= draft.ends_at_ms or other.ends_at_ms <= draft.starts_at_ms:
        return False
    return not draft.channels or not other.channels or not draft.channels.isdisjoint(other.channels)


def _why(draft: Campaign, other: Campaign) -> Why:
    if _own_button(draft) or _own_button(other):
        return "own_button"
    (priority, start, _), (others_priority, others_start, _) = draft.rank, other.rank
    if priority != others_priority:
        return "priority"
    return "start" if start != others_start else "code"


def _own_button(campaign: Campaign) -> bool:
    return campaign.type is not None and campaign.type.own_button


def beaten(draft: Campaign, products: Iterable[Product], index: CampaignIndex, now_ms: int) -> dict[str, list[str]]:
    """Products that never join a draft by default in its whole window, each with the campaigns that go first."""
    if _own_button(draft):
        return {}
    begins_ms = max(now_ms, draft.starts_at_ms)
    found = {}
    for product in products:
        first = [
            other
            for other in index.candidates(product.sku, product.categories)
            if other.rank < draft.rank and other.code != draft.code and _always_beats(draft, other, product)
        ]
        if _cover(first, begins_ms, draft.ends_at_ms):
            found[product.sku] = [other.code for other in first]
    return found


def _always_beats(draft: Campaign, other: Campaign, product: Product) -> bool:
    """Whether whoever may join the draft would join the other one, as long as that runs."""
    if other.broken is not None or other.draft or other.terminated or other.paused or _own_button(other):
        return False
    if other.limits is not None or other.stores or product.sku in other.exclude:
        return False
    if other.channels and not (draft.channels and draft.channels <= other.channels):
        return False
    if other.audience.kind != "everyone" and other.audience != draft.audience:
        return False
    assert other.type is not None
    return other.type.refuses(other.rule, other.items.get(product.sku), product.price, 1) is None


def _cover(campaigns: Iterable[Campaign], begins_ms: int, ends_ms: int) -> bool:
    """Whether one or another runs at every instant of a window."""
    reached_ms = begins_ms
    for each in sorted(campaigns, key=lambda each: each.starts_at_ms):
        if each.starts_at_ms > reached_ms:
            return False
        reached_ms = max(reached_ms, each.ends_at_ms)
        if reached_ms >= ends_ms:
            return True
    return False


def nobody(draft: Campaign, last_day: date) -> str | None:
    """Why nobody can be in a draft's audience until its last day, if nobody can."""
    days = draft.audience.member_days
    if days is not None and last_day - FIRST_DAY < timedelta(days=days):
        return f"nobody can have been a member for {days} days: that is before {FIRST_DAY.isoformat()}"
    return None

"""What is left of campaigns' limits and of coupons, from what orders hold (`admin/reservations`).

A shopper's own part is counted for whoever is named; guests, and people whom an operator makes up, have used
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from admin.promotions.campaign import Campaign
from admin.promotions.coupon import Coupon
from admin.promotions.world import Left
from admin.reservations.tables import tallies

Tally = tuple[str, str, str]
"""Kind, subject, owner: see `admin/reservations/kinds.py`."""
Used = Mapping[Tally, int]
"""How much of each is held, paid for or not; absent: nothing."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the database knows of a coupon's code that was typed.

    `coupon` is the one it stands for, if it is one code of many; `bound` whose that code is. `claimed` says that
    the shopper holds the coupon by its own code: who holds it by one of many uses that one, or it would never be
    used up. `of_code` counts uses of such a code, `in_all` and `own` uses of the coupon.
    """

    coupon: str | None
    bound: str | None
    claimed: bool
    in_all: int
    own: int
    of_code: int


def tallies_of(campaign: Campaign, owner: str) -> list[Tally]:
    """What has to be known to tell what is left of a campaign; `owner` is empty for nobody."""
    limits, code = campaign.limits, campaign.code
    found: list[Tally] = []
    if limits is not None and limits.total is not None:
        found.append(("campaign", code, ""))
    if limits is not None and limits.budget is not None:
        found.append(("budget", code, ""))
    if owner and campaign.per_shopper is not None:
        found.append(("campaign_shopper", code, owner))
    return found


def left_of(campaign: Campaign, used: Used, owner: str = "") -> Left:
    """What is left of a campaign's limits for somebody; `owner` is empty for nobody."""
    limits, code, total, budget = campaign.limits, campaign.code, None, None
    if limits is not None:
        total, budget = limits.total, limits.budget
    own = campaign.per_shopper
    # A limit may have been lowered before the campaign began, below what is held.
    if total is not None:
        total = max(0, total - used.get(("campaign", code, ""), 0))
    if budget is not None:
        budget = max(0, budget - used.get(("budget", code, ""), 0))
    if own is not None and owner:
        own = max(0, own - used.get(("campaign_shopper", code, owner), 0))
    return Left(total, own, budget)


def used_in_all(connection: Connection) -> Used:
    """What is held of the totals and budgets of all campaigns."""
    rows = connection.execute(select(tallies).where(tallies.c.kind.in_(("campaign", "budget"))))
    return {(row.kind, row.subject, row.owner): row.reserved + row.committed for row in rows}


def runs_out(coupon: Coupon) -> bool:
    """Whether what a coupon does depends on who uses it how often, or on who holds it."""
    fields = coupon.fields
    return fields.claim_required or fields.total is not None or fields.per_shopper is not None


def coupon_left(coupon: Coupon, held: Held, owner: str) -> Coupon:
    """A coupon with what somebody may still use of it; `owner` is empty for nobody."""
    fields = coupon.fields
    left = []
    if fields.total is not None:
        left.append(fields.total - held.in_all)
    if fields.per_shopper is not None:
        left.append(fields.per_shopper - held.own)
    if held.coupon is not None and held.bound not in (None, owner):
        left.append(0)
    if held.coupon is not None:
        left.append(1 - held.of_code)
    return replace(
        coupon,
        uses_left=max(0, min(left)) if left else None,
        claimed=held.coupon is not None or held.claimed,
    )

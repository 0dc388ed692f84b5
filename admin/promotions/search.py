"""The cheapest assignment of campaigns to lines, found by steps that are counted, not timed."""

from __future__ import annotations

from dataclasses import dataclass

from admin.promotions.campaign import Campaign
from admin.promotions.pricing import Assignment, Pricing


@dataclass(frozen=True, slots=True)
class Found:
    """The best assignment that was found. `proved` says that none is better, `gap` how much lower one could be.

    Minor units.
    """

    assignment: Assignment
    total: int
    proved: bool
    gap: int


def best(pricing: Pricing, default: Assignment, choices: tuple[tuple[Campaign | None, ...], ...]) -> Found:
    """The assignment with the smallest total among all that lose no add-on which the default has."""
    total = pricing.price(default).total
    return Found(default, total, all(len(each) == 1 for each in choices), total)

"""A search laid out: lines that are free to choose, how assignments compare, what the coupon does, steps left.

An assignment has a score, one whole number: its total first, then the base value of its gifts (more is better),
then how many lines differ from the default, then the ranks of what the lines joined, the first line first. Scores
add up over campaigns and lines, so that the best of many parts is found part by part.
"""

from __future__ import annotations

from collections import Counter

from admin.promotions.campaign import Campaign
from admin.promotions.couponing import holds, usable, worth
from admin.promotions.pricing import Assignment, Priced, Pricing

NODE = 32
"""Steps of one node: about what judging a group of some lines takes. A step is comparing two scores."""
_TOTAL_BITS = 64
"""Enough for any total."""

Choices = tuple[tuple[Campaign | None, ...], ...]


class Spent(Exception):
    """No step is left."""


class Board:
    """The question, and the arithmetic of its answers. Sets of free lines are bits; amounts are minor units."""

    def __init__(self, pricing: Pricing, default: Assignment, choices: Choices) -> None:
        self.pricing = pricing
        self.default = default
        self.choices = choices
        self.steps = pricing.world.nodes_max * NODE
        self.places = [place for place, each in enumerate(choices) if len(each) > 1]
        self.bits = {place: 1 << position for position, place in enumerate(self.places)}
        self.everything = (1 << len(self.places)) - 1
        self.weights = self._weigh()
        self.coupon = None
        if pricing.cart.coupon is not None and usable(pricing.world.coupon, pricing.world) is None:
            self.coupon = pricing.world.coupon
        self.threshold = 0 if self.coupon is None else self.coupon.fields.threshold
        self._worth = worth(self.coupon) if self.coupon is not None else _worthless
        self._reached = self.threshold - self.off(self.threshold)
        self.bearing = self._bearing()
        self._priced = start = pricing.price(default)
        self.start_total = start.total
        self.kept = Counter((entry.campaign, entry.sku, entry.quantity) for entry in start.added.entries)
        """Add-ons that no assignment may lose."""
        self.scale(0)

    def _weigh(self) -> dict[int, dict[str | None, int]]:
        """What a choice adds to the score besides money: rank of all, and a change."""
        ranks: dict[int, dict[str | None, int]] = {}
        unit = 1
        for place in reversed(self.places):
            each = self.choices[place]
            ranks[place] = {code_of(campaign): rank * unit for rank, campaign in enumerate(each)}
            unit *= len(each)
        for place, weights in ranks.items():
            before = code_of(self.default[place])
            for code in weights:
                weights[code] += unit if code != before else 0
        self.gift_unit = unit * (len(self.places) + 1)
        return ranks

    def scale(self, gifts: int) -> None:
        """Make room in scores for gifts that are worth so much at most."""
        self.shift = (self.gift_unit * (gifts + 2)).bit_length() + 1
        self.half = 1 << (self.shift - 1)
        self.impossible = 1 << (self.shift + _TOTAL_BITS)
        """A score beyond all others."""
        self.start = self.score(self.default, self._priced)

    def _bearing(self) -> dict[int, int]:
        """By line number: what lines in the coupon's scope cost at base price."""
        if self.coupon is None:
            return {}
        return {
            place.number: place.price * place.quantity
            for place in self.pricing.places
            if place.counts and holds(self.coupon, place)
        }

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            Spent: fewer are left.
        """
        if steps > self.steps:
            raise Spent
        self.steps -= steps

    def pack(self, cost: int, gifts: int, weight: int) -> int:
        """A score, or a part of one."""
        return (cost << self.shift) - gifts * self.gift_unit + weight

    def cost(self, score: int) -> int:
        """The amount that a score begins with."""
        return (score + self.half) >> self.shift

    def rest(self, score: int) -> int:
        """A score without its amount."""
        return score - (self.cost(score) << self.shift)

    def score(self, assignment: Assignment, priced: Priced) -> int:
        """The score of an assignment that was priced."""
        products = self.pricing.world.products
        gifts = sum(
            products[sku].price * pieces for given in priced.gifts.values() for sku, pieces in given.pieces.items()
        )
        weight = sum(weights[code_of(assignment[place])] for place, weights in self.weights.items())
        return self.pack(priced.total, gifts, weight)

    def judge(self, assignment: Assignment) -> int | None:
        """The score of an assignment; None when it loses an add-on or needs more of a campaign than is left."""
        pricing = self.pricing
        priced = pricing.price(assignment)
        if self.kept - Counter((entry.campaign, entry.sku, entry.quantity) for entry in priced.added.entries):
            return None
        if any(pricing.over_limit(each, priced.added) for each in priced.joined.values()):
            return None
        return self.score(assignment, priced)

    def off(self, amount: int) -> int:
        """What the coupon takes off when its lines cost so much."""
        if amount < self.threshold:
            return 0
        return min(amount, self._worth(amount))

    def dearest(self, total: int, bearing: int) -> int:
        """At least the most that anything may cost before the coupon whose total is at most `total`, when the
        coupon's lines cost at most `bearing`.
        """
        most = total + self.off(bearing)
        return total + self.off(min(most, bearing))

    def lowest(self, cost: int, bearing: int) -> int:
        """The least total of anything that costs at least `cost` and of which the coupon's lines cost at most
        `bearing`.

        A coupon takes no less off a larger amount, and no more than the amount grows; only at its threshold a
        cart that costs more may be cheaper.
        """
        if cost < self.threshold:
            return min(cost, self._reached) if bearing >= self.threshold else cost
        return cost - self.off(min(cost, bearing))


def code_of(campaign: Campaign | None) -> str | None:
    """Its code; None for none."""
    return None if campaign is None else campaign.code


def _worthless(_amount: int) -> int:
    return 0

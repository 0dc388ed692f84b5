"""What a line of a priced cart would cost with another choice. Only what that changes is priced again."""

from __future__ import annotations

from collections.abc import Sequence

from admin.promotions.campaign import Campaign
from admin.promotions.pricing import Assignment, Priced, Pricing


class Instead:
    """One line of a priced cart, taken out of the campaign that it joined."""

    def __init__(self, pricing: Pricing, priced: Priced, assignment: Assignment, number: int) -> None:
        place, settled = pricing.places[number - 1], assignment[number - 1]
        self._pricing = pricing
        self._number = number
        self._subtotal = place.price * place.quantity
        self._joined = dict(priced.joined)
        self._costs = [each + off for each, off in zip(priced.payables, priced.coupon_discounts, strict=True)]
        if settled is not None:
            others = tuple(each for each in self._joined.pop(settled.code).numbers if each != number)
            if others:
                rest = self._joined[settled.code] = pricing.judge(settled, others)
                self._charge(self._costs, rest.numbers, rest.shares())

    def payable(self, campaign: Campaign) -> int | None:
        """What the line would cost if it alone joined a campaign; None when too little is left of that."""
        pricing, number = self._pricing, self._number
        there = self._joined.get(campaign.code)
        numbers = (number,) if there is None else tuple(sorted((*there.numbers, number)))
        after = pricing.judge(campaign, numbers)
        joined = {**self._joined, campaign.code: after}
        if campaign.code in pricing.world.left and pricing.over_limit(after, pricing.add(joined)):
            return None
        cost = self._subtotal - after.share_of(number)
        if pricing.redemption is None:
            return cost
        costs = self._costs.copy()
        self._charge(costs, numbers, after.shares())
        return cost - pricing.redemption.redeem(joined, costs).shares[number - 1]

    def _charge(self, costs: list[int], numbers: Sequence[int], shares: Sequence[int]) -> None:
        places = self._pricing.places
        for number, off in zip(numbers, shares, strict=True):
            place = places[number - 1]
            costs[number - 1] = place.price * place.quantity - off

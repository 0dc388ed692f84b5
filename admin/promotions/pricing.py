"""The price of a cart for one assignment of campaigns to its lines. Searching means asking this many times.

Steps: group the lines by campaign, let each type judge its group, divide discounts over the lines, add what was
chosen at add-on prices, take the coupon off what is left, give gifts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from admin.promotions.add_ons import Added, add
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.choosing import Place
from admin.promotions.couponing import Redeemed, Redemption
from admin.promotions.effects import Effect, Group, Line
from admin.promotions.gifts import Given, give
from admin.promotions.joined import Joined
from admin.promotions.world import Left, World

Assignment = tuple[Campaign | None, ...]
"""The campaign of each line, in cart order; None for a line that joins none or does not count."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A cart to the last cent; lists are by line."""

    joined: Mapping[str, Joined]
    discounts: Sequence[int]
    coupon_discounts: Sequence[int]
    payables: Sequence[int]
    added: Added
    gifts: Mapping[str, Given]
    redeemed: Redeemed | None
    total: int


class Pricing:
    """Prices assignments of one cart in one world. What a campaign makes of some lines is computed once."""

    def __init__(self, cart: Cart, world: World, places: Sequence[Place]) -> None:
        self.cart = cart
        self.world = world
        self.places = places
        self._lines = tuple(Line(place.number, place.sku, place.quantity, place.price) for place in places)
        self._joined: dict[tuple[str, tuple[int, ...]], Joined] = {}
        self._stock: dict[str, int] | None = None
        self.redemption = Redemption(world, places) if cart.coupon is not None else None

    def group(self, assignment: Assignment) -> dict[str, Joined]:
        """The groups of an assignment by code, in the order of their first lines."""
        numbers: dict[str, list[int]] = {}
        campaigns: dict[str, Campaign] = {}
        for place, campaign in zip(self.places, assignment, strict=True):
            if campaign is not None and place.counts:
                numbers.setdefault(campaign.code, []).append(place.number)
                campaigns[campaign.code] = campaign
        return {code: self.judge(campaigns[code], tuple(lines)) for code, lines in numbers.items()}

    def judge(self, campaign: Campaign, numbers: tuple[int, ...]) -> Joined:
        """What a campaign makes of the lines with some numbers."""
        key = (campaign.code, numbers)
        found = self._joined.get(key)
        if found is None:
            group = Group(tuple(self.line(campaign, number) for number in numbers))
            found = self._joined[key] = Joined(campaign, numbers, group, effect_of(campaign, group))
        return found

    def line(self, campaign: Campaign, number: int) -> Line:
        """The line with some number, as a campaign sees it."""
        line = self._lines[number - 1]
        item = campaign.items.get(line.sku)
        return line if item is None else replace(line, item=item)

    def over_limit(self, joined: Joined, added: Added) -> bool:
        """Whether a group needs more of its campaign than is left. What is not reached needs nothing."""
        left = self.world.left.get(joined.campaign.code)
        if left is None or not joined.effect.reached:
            return False
        return _exceeds(left, joined, added.reductions.get(joined.campaign.code, 0))

    def add(self, joined: Mapping[str, Joined]) -> Added:
        """The chosen add-ons that some groups allow."""
        if not self.cart.add_ons:
            return Added()
        return add(
            self.cart.add_ons, {code: each.effect for code, each in joined.items()}, self.world, self.stock()
        )

    def stock(self) -> dict[str, int]:
        """What is free once the lines of the cart are taken out; the caller's own copy."""
        if self._stock is None:
            self._stock = dict(self.world.free)
            for place in self.places:
                if place.counts:
                    self._stock[place.sku] = self._stock.get(place.sku, 0) - place.quantity
        return self._stock.copy()

    def give(self, joined: Mapping[str, Joined], added: Added) -> dict[str, Given]:
        """The gifts of some groups by campaign, after the add-ons took theirs."""
        granting = [each for each in joined.values() if each.effect.grants]
        if not granting:
            return {}
        stock = self.stock()
        for entry in added.entries:
            stock[entry.sku] = stock.get(entry.sku, 0) - entry.quantity
        picks = self.cart.gifts
        return {
            each.campaign.code: give(each.effect.grants, picks.get(each.campaign.code), stock, self.world)
            for each in granting
        }

    def price(self, assignment: Assignment) -> Priced:
        """Everything about one assignment."""
        joined = self.group(assignment)
        added = self.add(joined)
        discounts = [0] * len(self.places)
        for each in joined.values():
            for number, off in zip(each.numbers, each.shares(), strict=True):
                discounts[number - 1] = off
        costs = [
            place.price * place.quantity - off if place.counts else 0
            for place, off in zip(self.places, discounts, strict=True)
        ]
        redeemed = None
        coupon_discounts: Sequence[int] = (0,) * len(costs)
        if self.redemption is not None:
            redeemed = self.redemption.redeem(joined, costs)
            coupon_discounts = redeemed.shares
            costs = [cost - off for cost, off in zip(costs, coupon_discounts, strict=True)]
        return Priced(
            joined=joined,
            discounts=discounts,
            coupon_discounts=coupon_discounts,
            payables=costs,
            added=added,
            gifts=self.give(joined, added),
            redeemed=redeemed,
            total=sum(costs) + added.payable,
        )


def effect_of(campaign: Campaign, group: Group) -> Effect:
    """What a campaign makes of a group."""
    assert campaign.type is not None
    assert campaign.type.evaluate is not None
    effect = campaign.type.evaluate(campaign.rule, group)
    if not 0 <= effect.discount <= group.subtotal:
        # No rule that may be published does this; one stored by other means must not break a cart.
        effect = replace(effect, discount=min(max(effect.discount, 0), group.subtotal))
    return effect


def _exceeds(left: Left, joined: Joined, reductions: int) -> bool:
    assert joined.campaign.type is not None
    units = joined.group.units
    needed = units if joined.campaign.type.counts_units else 1
    return any(
        limit is not None and need > limit
        for limit, need in (
            (left.total, needed),
            (left.per_shopper, needed if joined.campaign.own_limit is None else units),
            (left.budget, joined.effect.discount + reductions),
        )
    )

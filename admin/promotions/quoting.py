"""A cart being priced: what each line may join, and what it joins unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.choosing import Judge, Place, Refusal, lay_out
from admin.promotions.pricing import Assignment, Priced, Pricing
from admin.promotions.world import World


class Quoting:
    """Its lines, their choices, and the assignment that follows from priorities.

    `turned_down` has, by line number, why a campaign that the shopper asked for could not be had.
    """

    def __init__(self, cart: Cart, world: World) -> None:
        self.cart = cart
        self.world = world
        self.places: Sequence[Place] = lay_out(cart, world)
        self.pricing = Pricing(cart, world, self.places)
        alone = sum(place.counts for place in self.places) == 1
        self.judge = Judge(world, cart, alone)
        self.turned_down: dict[int, tuple[Campaign | None, str, Refusal]] = {}
        self.default = self._settle()

    def price(self, assignment: Assignment) -> Priced:
        """The price of an assignment."""
        return self.pricing.price(assignment)

    def usable(self) -> tuple[tuple[Campaign | None, ...], ...]:
        """What each line may join, in order of rank, then nothing; of a line whose choice is settled that alone."""
        found: list[tuple[Campaign | None, ...]] = []
        for place, settled in zip(self.places, self.default, strict=True):
            if not place.counts or (place.asked.pinned and place.number not in self.turned_down):
                found.append((settled,))
                continue
            free = [each for each in place.candidates if not self.judge.bars(each, place)]
            found.append((*free, None))
        return tuple(found)

    def _settle(self) -> Assignment:
        """The campaign of each line: the shopper's choice, else the first that can be joined.

        A campaign of which the cart needs more than is left is taken out, and the lines choose again: it may turn
        out only then, and other groups grow. It ends, since each round takes at least one out.
        """
        while True:
            self.turned_down.clear()
            assignment = tuple(self._choose(place) for place in self.places)
            joined = self.pricing.group(assignment)
            if not self.world.left:
                return assignment
            added = self.pricing.add(joined)
            exceeded = [code for code, each in joined.items() if self.pricing.over_limit(each, added)]
            if not exceeded:
                return assignment
            self.judge.use_up(exceeded)

    def _choose(self, place: Place) -> Campaign | None:
        if not place.counts:
            return None
        if place.asked.pinned:
            wanted = place.asked.campaign
            if wanted is None:
                return None
            campaign = self.world.index.get(wanted)
            refusal = self._refusal_of_choice(campaign, place)
            if refusal is None:
                return campaign
            self.turned_down[place.number] = (campaign, wanted, refusal)
        return next((each for each in place.candidates if self.judge.refusal(each, place) is None), None)

    def _refusal_of_choice(self, campaign: Campaign | None, place: Place) -> Refusal | None:
        if campaign is None or not self.judge.visible(campaign):
            # A shopper learns nothing about campaigns that are not announced to them.
            return Refusal("not_running", "unknown_campaign")
        closed = self.judge.closed(campaign)
        if closed is not None:
            return closed
        if all(each.code != campaign.code for each in place.candidates):
            return Refusal("excluded", "not_in_scope")
        return self.judge.left_out(campaign, place, chosen=True)

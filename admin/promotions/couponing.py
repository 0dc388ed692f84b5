"""One coupon per order, taken off what its scope's lines cost after promotions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from admin.promotions import money
from admin.promotions.audience import refuses
from admin.promotions.choosing import Place
from admin.promotions.coupon import Coupon
from admin.promotions.joined import Joined
from admin.promotions.world import World


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a coupon did: a state of the contract, the code of the reason, and the discount of each line.

    `missing` is how much more its lines would have to cost, minor units.
    """

    state: str
    shares: tuple[int, ...]
    reason: str | None = None
    missing: int = 0

    @property
    def discount(self) -> int:
        """In all."""
        return sum(self.shares)


def redeem(world: World, places: Sequence[Place], joined: Mapping[str, Joined], costs: Sequence[int]) -> Redeemed:
    """Take the world's coupon off lines that cost so much after promotions."""
    nothing = (0,) * len(places)
    coupon = world.coupon
    refused = usable(coupon, world)
    if refused is not None or coupon is None:
        state, why = refused or ("unknown", "unknown_coupon")
        return Redeemed(state, nothing, why)
    bearing, judged = _scope(coupon, places, joined, costs)
    if not any(place.counts and bears for place, bears in zip(places, bearing, strict=True)):
        return Redeemed("nothing_in_scope", nothing, "nothing_in_scope")
    missing = coupon.fields.threshold - sum(judged)
    if missing > 0:
        return Redeemed("threshold_not_met", nothing, "spend_more", missing)
    amounts = [most if bears else 0 for most, bears in zip(_most(joined, costs), bearing, strict=True)]
    discount = _discount(coupon, sum(cost for cost, bears in zip(costs, bearing, strict=True) if bears))
    return Redeemed("applied", tuple(money.share(min(discount, sum(amounts)), amounts)))


def usable(coupon: Coupon | None, world: World) -> tuple[str, str] | None:
    """Why this shopper cannot use a coupon now, whatever the cart holds: a state and the code of the reason."""
    if coupon is None:
        return "unknown", "unknown_coupon"
    fields = coupon.fields
    if coupon.ended or fields.ends_at <= world.now_ms:
        return "not_running", "ended"
    if world.now_ms < fields.starts_at:
        return "not_running", "not_started"
    why = refuses(fields.audience, world.shopper, world.today)
    if why is not None:
        return "not_eligible", why
    if fields.claim_required and not coupon.claimed:
        return "not_claimed", "not_claimed"
    if coupon.uses_left is not None and coupon.uses_left <= 0:
        return "exhausted", "used_up"
    return None


def _scope(
    coupon: Coupon, places: Sequence[Place], joined: Mapping[str, Joined], costs: Sequence[int]
) -> tuple[list[bool], list[int]]:
    """Which lines a coupon may come off, and what they count for its threshold."""
    bearing = [place.counts and holds(coupon, place) for place in places]
    judged = [cost if bears else 0 for cost, bears in zip(costs, bearing, strict=True)]
    for each in joined.values():
        if not each.effect.reached:
            continue
        deposit = each.effect.deposit
        for number in each.numbers:
            if not each.campaign.coupons_allowed:
                bearing[number - 1] = False
                judged[number - 1] = 0
            elif deposit is not None and bearing[number - 1]:
                # The threshold looks at the pre-sale price, not at what the deposit saved.
                judged[number - 1] = deposit.price
    return bearing, judged


def _most(joined: Mapping[str, Joined], costs: Sequence[int]) -> list[int]:
    """The most that may come off each line: what it costs; of a pre-sale only what is still to be paid."""
    most = list(costs)
    for each in joined.values():
        deposit = each.effect.deposit
        if deposit is not None:
            for number in each.numbers:
                most[number - 1] = deposit.price - deposit.credit
    return most


def holds(coupon: Coupon, place: Place) -> bool:
    """Whether a coupon's scope holds a line's product."""
    fields = coupon.fields
    if fields.scope == "items":
        return place.sku in fields.items
    if fields.scope == "category":
        return place.product is not None and not set(place.product.categories).isdisjoint(fields.categories)
    return True


def _discount(coupon: Coupon, amount: int) -> int:
    fields = coupon.fields
    if fields.kind == "amount":
        return fields.amount_off or 0
    discount = money.percent_off(amount, fields.percent_off or 0)
    return discount if fields.cap is None else min(discount, fields.cap)

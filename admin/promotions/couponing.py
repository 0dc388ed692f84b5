"""One coupon per order, taken off what its scope's lines cost after promotions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from admin.promotions import money
from admin.promotions.audience import refuses
from admin.promotions.choosing import Place
from admin.promotions.coupon import Coupon
from admin.promotions.effects import Deposit
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


class Redemption:
    """The world's coupon on the lines of one cart, for whatever they come to cost."""

    def __init__(self, world: World, places: Sequence[Place]) -> None:
        coupon = world.coupon
        self._threshold = coupon.fields.threshold if coupon is not None else 0
        self._worth = worth(coupon) if coupon is not None else None
        self._nothing = (0,) * len(places)
        self._held = [coupon is not None and place.counts and holds(coupon, place) for place in places]
        refused = usable(coupon, world)
        self._refused = None if refused is None else Redeemed(refused[0], self._nothing, refused[1])

    def redeem(self, joined: Mapping[str, Joined], costs: Sequence[int]) -> Redeemed:
        """Take the coupon off lines that cost so much after promotions."""
        if self._refused is not None:
            return self._refused
        held, deposit = self._held, None
        for each in joined.values():
            if each.effect.reached and not each.campaign.coupons_allowed:
                held = [bears and place not in each.numbers for place, bears in enumerate(held, 1)]
            deposit = each.effect.deposit or deposit
        return self._take(held, costs, deposit)

    def redeem_later(self, deposit: Deposit) -> Redeemed:
        """Take the coupon off the balance of a pre-sale whose deposit is paid; its line is the only place."""
        if self._refused is not None:
            return self._refused
        return self._take(self._held, [deposit.price - deposit.credit + deposit.deposit], deposit)

    def _take(self, held: Sequence[bool], costs: Sequence[int], deposit: Deposit | None) -> Redeemed:
        assert self._worth is not None
        if True not in held:
            return Redeemed("nothing_in_scope", self._nothing, "nothing_in_scope")
        amounts = [cost if bears else 0 for cost, bears in zip(costs, held, strict=True)]
        cost = judged = most = sum(amounts)
        if deposit is not None:
            # It stands alone, so its line is all there is. The threshold looks at the pre-sale price, and the
            # discount comes off what is still to be paid.
            judged, most = deposit.price, deposit.price - deposit.credit
        missing = self._threshold - judged
        if missing > 0:
            return Redeemed("threshold_not_met", self._nothing, "spend_more", missing)
        discount = min(self._worth(cost), most)
        return Redeemed("applied", tuple(money.share(discount, amounts)))


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


def holds(coupon: Coupon, place: Place) -> bool:
    """Whether a coupon's scope holds a line's product."""
    fields = coupon.fields
    if fields.scope == "items":
        return place.sku in fields.items
    if fields.scope == "category":
        return place.product is not None and not set(place.product.categories).isdisjoint(fields.categories)
    return True


def worth(coupon: Coupon) -> Callable[[int], int]:
    """What a coupon takes off lines that cost so much in all; an amount off may be more than that.

    Its terms are read once: a search asks very often.
    """
    fields = coupon.fields
    if fields.kind == "amount":
        amount_off = fields.amount_off or 0
        return lambda _amount: amount_off
    percent_off, cap = fields.percent_off or 0, fields.cap
    if cap is None:
        return lambda amount: money.percent_off(amount, percent_off)
    return lambda amount: min(cap, money.percent_off(amount, percent_off))

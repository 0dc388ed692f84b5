"""How a coupon stands for one shopper, whatever their cart holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from admin.promotions.audience import Shopper, refuses
from admin.promotions.coupon import CouponFields

MyState = Literal["usable", "claimable", "not_started", "ended", "not_eligible", "used", "exhausted"]


@dataclass(frozen=True, slots=True)
class Uses:
    """Orders that hold a coupon, paid for or not: of everybody, of the shopper, and with the code they hold.

    `claims` is how many shoppers hold it.
    """

    in_all: int = 0
    own: int = 0
    of_code: int = 0
    claims: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A state, the code of its reason, how many uses are left to the shopper, and for how many more shoppers there
    is one; None where nothing limits it.
    """

    state: MyState
    reason: str | None
    uses_left: int | None
    claims_left: int | None


def standing(
    terms: CouponFields,
    uses: Uses,
    shopper: Shopper,
    today: date,
    now_ms: int,
    *,
    ended: bool,
    held: bool,
    by_code: bool,
) -> Standing:
    """How a coupon stands that the shopper holds, perhaps `by_code` of a batch, or that they might claim.

    `ended` says that it was ended by hand; `today` is the civil date in the shop's zone.
    """
    left = [] if terms.total is None else [terms.total - uses.in_all]
    own = [] if terms.per_shopper is None else [terms.per_shopper - uses.own]
    if by_code:
        own.append(1 - uses.of_code)
    uses_left = max(0, min(left + own)) if left or own else None

    claims_left = None if terms.total is None else max(0, min(left[0], terms.total - uses.claims))

    def stands(state: MyState, reason: str | None) -> Standing:
        return Standing(state, reason, uses_left, claims_left)

    if ended or terms.ends_at <= now_ms:
        return stands("ended", "ended")
    if held and now_ms < terms.starts_at:
        return stands("not_started", "not_started")
    why = refuses(terms.audience, shopper, today)
    if why is not None:
        return stands("not_eligible", why)
    if own and min(own) <= 0:
        return stands("used", "used")
    if left and (left[0] <= 0 or (not held and terms.total is not None and uses.claims >= terms.total)):
        return stands("exhausted", "used_up")
    return stands("usable", None) if held else stands("claimable", "not_claimed")

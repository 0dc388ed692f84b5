"""Coupons as operators and as shoppers see them, and batches of their codes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from admin.coupons.standing import MyState
from admin.coupons.states import State
from admin.inputs import Input, QueryText
from admin.paging import Numbered

BATCH_MAX = 100_000
"""Codes made at once."""
PREFIX_MAX = 20
Prefix = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*)?$", max_length=PREFIX_MAX)]
CouponSort = Literal["created_at", "-created_at", "code", "-code", "starts_at", "-starts_at", "ends_at", "-ends_at"]


class CouponUse(BaseModel):
    """Orders that hold a coupon, unpaid (`reserved`) and paid (`committed`); shoppers who claimed it; its codes."""

    reserved: int
    committed: int
    claims: int
    codes: int


class Coupon(BaseModel):
    """A coupon. `ended_at` is set when it was ended by hand before its window was over."""

    code: str
    state: State
    name: str
    kind: str
    amount_off: int | None
    percent_off: int | float | None
    cap: int | None
    threshold: int
    scope: str
    items: list[str]
    categories: list[str]
    starts_at: str
    ends_at: str
    ended_at: str | None
    per_shopper: int | None
    total: int | None
    audience: dict[str, Any]
    claim_required: bool
    use: CouponUse
    revision: int
    created_at: str
    updated_at: str


class CouponFilter(Numbered):
    """Which coupons to show; all that is asked holds."""

    state: State | None = None
    q: Annotated[QueryText | None, Field(description="a part of the code or the name")] = None
    kind: Literal["amount", "percent"] | None = None
    sort: Annotated[CouponSort | None, Field(description="newest first when absent; - is descending")] = None


class CouponPage(BaseModel):
    """Coupons, newest first."""

    items: list[Coupon]
    next: str | None
    total: int | None = None


class MyCoupon(BaseModel):
    """A coupon as its shopper sees it. `code` is what to put into a cart; `coupon` the coupon that it is one of.

    `state`: `usable`; `claimable` (not held yet); `not_started`, `ended`; `not_eligible`; `used` (by this shopper,
    as often as they may); `exhausted` (by everybody). `uses_left` is null where nothing limits it, and so is
    `claims_left`, how many more shoppers may claim it.
    """

    code: str
    coupon: str
    state: MyState
    reason: str | None
    uses_left: int | None
    claims_left: int | None
    claimed_at: str | None
    name: str
    kind: str
    amount_off: int | None
    percent_off: int | float | None
    cap: int | None
    threshold: int
    scope: str
    items: list[str]
    categories: list[str]
    starts_at: str
    ends_at: str


class MyCouponPage(BaseModel):
    """Coupons that a shopper holds or may claim, those that last longest first."""

    items: list[MyCoupon]
    next: str | None


class PricedCoupon(BaseModel):
    """What a coupon does to a cart. `state` and `reason` are those of a quote; `total` is what the cart costs then,
    `saves` how much less that is than without a coupon.
    """

    code: str
    coupon: str
    name: str
    state: str
    reason: str | None
    discount: int
    total: int
    saves: int


class BestCoupons(BaseModel):
    """A cart with each of the shopper's coupons, the cheapest first; of several, the one that ends first.

    `total` is what it costs without one, `left_out` how many of their coupons were not tried.
    """

    currency: str
    total: int
    items: list[PricedCoupon]
    left_out: int


class CodesWish(Input):
    """How many codes to make, each of which works once as the coupon. Each begins with `prefix`."""

    count: int = Field(ge=1, le=BATCH_MAX)
    prefix: Prefix = ""


class Batch(BaseModel):
    """A batch of codes, and how many of them have been made."""

    id: str
    coupon: str
    prefix: str
    count: int
    made: int
    requested_by: str
    created_at: str


class BatchPage(BaseModel):
    """Batches of a coupon, newest first."""

    items: list[Batch]
    next: str | None

"""Coupons as operators see them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from admin.coupons.states import State
from admin.inputs import QueryText
from admin.paging import Page


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
    revision: int
    created_at: str
    updated_at: str


class CouponFilter(Page):
    """Which coupons to show; all that is asked holds."""

    state: State | None = None
    q: Annotated[QueryText | None, Field(description="a part of the code or the name")] = None


class CouponPage(BaseModel):
    """Coupons, newest first."""

    items: list[Coupon]
    next: str | None

"""Rows of coupons as the fields that an operator gave."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from admin.promotions.coupon import CouponFields


def fields_of(row: Row[Any]) -> CouponFields:
    """What a coupon takes off, from which carts, for whom, when."""
    return CouponFields.model_validate({**row.terms, "starts_at": row.starts_at_ms, "ends_at": row.ends_at_ms})

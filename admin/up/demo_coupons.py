"""Demo coupons, to be claimed by whoever looks."""

from __future__ import annotations

import secrets
from typing import Any

from admin.coupons import service as coupon_service
from admin.coupons.models import CouponFilter
from admin.resources import Resources
from gateway.orders.database import now_ms, reading

LASTS_MS = 30 * 24 * 3_600_000

COUPONS: dict[str, dict[str, Any]] = {
    "DEMO-HELLO": {"name": "Welcome 見面禮", "kind": "amount", "amount_off": 500, "total": 1000},
    "DEMO-OVER300": {
        "name": "From 300 on 滿三百九折",
        "kind": "percent",
        "percent_off": 10,
        "threshold": 30_000,
        "cap": 5000,
    },
}
"""By how their codes begin."""


def refresh(resources: Resources, *, actor: str) -> None:
    """Make what is missing of the coupons; one that is over is made again under a new code.

    Raises:
        AdminError: a service refused.
    """
    with reading(resources.engine) as connection:
        now = now_ms(connection)
    for prefix, about in COUPONS.items():
        if not coupon_service.page(resources, CouponFilter(state="running", q=prefix)).items:
            window = {"starts_at": now, "ends_at": now + LASTS_MS}
            terms = {"code": f"{prefix}-{secrets.token_hex(2).upper()}", "claim_required": True, "per_shopper": 1}
            coupon_service.create(resources, {**about, **terms, **window}, actor=actor)

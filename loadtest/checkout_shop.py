"""What the shop of the checkout benchmark has: a cart that takes something of everything that can run out."""

from __future__ import annotations

from typing import Any

LASTING_MS = 6 * 3600 * 1000
PLENTY = 10**8
"""More than a benchmark uses up."""
RUSH = "RUSH"
"""A coupon of which there are few."""
FEW = 100
PRODUCTS: tuple[dict[str, Any], ...] = tuple(
    {"sku": sku, "name": sku.title(), "price": price, "stock": PLENTY}
    for sku, price in (("kettle", 12_900), ("lamp", 7_900), ("towel", 1_900), ("mug", 2_500))
)
CART: dict[str, Any] = {
    "lines": [{"sku": "kettle", "quantity": 1}, {"sku": "lamp", "quantity": 2}, {"sku": "towel", "quantity": 1}],
    "coupon": "SAVE",
}
RUSH_CART: dict[str, Any] = {"lines": [{"sku": "lamp", "quantity": 1}], "coupon": RUSH}


def campaigns(now_ms: int) -> tuple[dict[str, Any], ...]:
    """A discount with limits of every kind, and a gift."""
    lasting = {"starts_at": now_ms - 1000, "ends_at": now_ms + LASTING_MS}
    limits = {"total": PLENTY, "per_shopper": PLENTY, "budget": PLENTY * 1000}
    tier = {"at": 10_000, "gifts": [{"sku": "mug", "quantity": 1}]}
    return (
        {
            "type": "item_discount",
            "code": "lamps",
            "name": "Lamps",
            "rule": {"percent_off": 20},
            "items": [{"sku": "lamp"}],
            "limits": limits,
            **lasting,
        },
        {
            "type": "threshold_gift",
            "code": "mugs",
            "name": "Mugs",
            "rule": {"by": "amount", "mode": "best", "tiers": [tier]},
            "items": [{"sku": "kettle"}],
            **lasting,
        },
    )


def coupons(now_ms: int) -> tuple[dict[str, Any], ...]:
    """One for everybody, and one of which there are few."""
    lasting = {"starts_at": now_ms - 1000, "ends_at": now_ms + LASTING_MS}
    plain = {"kind": "amount", "amount_off": 500, **lasting}
    return (
        {"code": "SAVE", "name": "Save", "total": PLENTY, "per_shopper": 5, **plain},
        {"code": RUSH, "name": "Rush", "total": FEW, **plain},
    )

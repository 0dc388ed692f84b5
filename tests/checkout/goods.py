"""A shop in which everything can run out: goods, gifts, add-ons, limits, budgets, coupons, seats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.security.deployment import Deployment

DAY_MS = 24 * 3_600_000


@dataclass
class Goods:
    """What the shop began with."""

    stock: dict[str, int] = field(default_factory=dict)
    # Kind and subject as the ledger of reservations names them → the most there may be, in all or of each shopper.
    limits: dict[tuple[str, str], int] = field(default_factory=dict)


def set_up(shop: Deployment) -> Goods:
    """Make products, campaigns and coupons, few enough of each that a crowd wants more."""
    goods = Goods()
    now_ms = shop.now_ms()

    def product(sku: str, price: int, stock: int, **about: Any) -> None:
        shop.operate("POST", "/products", {"sku": sku, "name": sku, "price": price, "stock": stock, **about}, 201)
        goods.stock[sku] = stock

    def campaign(code: str, kind: str, rule: dict[str, Any], items: list[str], **about: Any) -> None:
        body = {
            "code": code,
            "type": kind,
            "name": code,
            "starts_at": now_ms - 1000,
            "ends_at": now_ms + DAY_MS,
            "rule": rule,
            "items": [{"sku": sku} for sku in items],
            **about,
        }
        shop.operate("POST", "/campaigns", body, 201)
        counted = {"campaign": "total", "campaign_shopper": "per_shopper", "budget": "budget"}
        for name, limit in counted.items():
            if limit in about.get("limits", {}):
                goods.limits[name, code] = about["limits"][limit]

    for number, price in enumerate((999, 4_550, 10_000, 333)):
        product(f"good{number}", price, 150)
    product("mug", 1_500, 40, gift_only=True)
    product("towel", 2_000, 30)
    product("early", 9_999, 25)
    product("shared", 8_000, 40)
    campaign("half", "item_discount", {"percent_off": 33.33}, ["good0"], limits={"total": 60, "per_shopper": 2})
    campaign(
        "less",
        "threshold_reduction",
        {"mode": "every", "spend": 5_000, "off": 777},
        ["good1", "good3"],
        limits={"budget": 40_000},
    )
    gifts = {"by": "amount", "mode": "best", "tiers": [{"at": 20_000, "gifts": [{"sku": "mug", "quantity": 1}]}]}
    campaign("mugs", "threshold_gift", gifts, ["good2"], limits={"total": 45})
    options = {"tiers": [{"spend": 100, "options": [{"sku": "towel", "price": 901, "limit": 1}]}]}
    campaign("towels", "add_on", options, ["good3"], priority=5, limits={"total": 25})
    campaign("together", "group_buy", {"price": 6_001, "size": 3, "hours": 24, "limit_per_shopper": 2}, ["shared"])
    goods.limits["campaign_shopper", "together"] = 2
    later = {"balance_starts_at": now_ms + 2 * DAY_MS, "balance_ends_at": now_ms + 3 * DAY_MS}
    campaign("first", "presale", {"deposit": 1_000, "multiplier": 2.5, **later}, ["early"], limits={"total": 20})
    coupon = {
        "code": "SAVE",
        "name": "Save",
        "kind": "percent",
        "percent_off": 7.5,
        "starts_at": now_ms - 1000,
        "ends_at": now_ms + DAY_MS,
        "total": 40,
        "per_shopper": 1,
    }
    shop.operate("POST", "/coupons", coupon, 201)
    goods.limits["coupon", "SAVE"], goods.limits["coupon_shopper", "SAVE"] = 40, 1
    return goods

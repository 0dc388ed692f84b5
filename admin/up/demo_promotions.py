"""Demo promotions: one of each kind that a cart can join, so that a new shop has prices to look at."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select

from admin.campaigns import service as campaign_service
from admin.campaigns.states import LIVE, state_of
from admin.campaigns.tables import campaigns
from admin.resources import Resources
from gateway.orders.database import now_ms, reading

ACTOR = "seckill up"
LASTS_MS = 30 * 24 * 3_600_000
BALANCE_MS = 7 * 24 * 3_600_000
"""How long the balance of the demo pre-sale may be paid after its end."""

PRODUCTS: dict[str, dict[str, Any]] = {
    "demo-cup": {"name": "Tea cup 茶杯", "price": 3_900, "category": "kitchen"},
    "demo-towel": {"name": "Linen towel 亞麻布巾", "price": 2_900, "category": "kitchen"},
    "demo-sampler": {"name": "Tea sampler 茶包組", "price": 1_500, "category": "kitchen", "gift_only": True},
    "demo-speaker": {"name": "Shelf speaker 書架喇叭", "price": 159_900, "category": "sound"},
}

# Each lists demo goods only: somebody who tries their own beside them is not to wonder about prices.
PROMOTIONS: dict[str, dict[str, Any]] = {
    "item_discount": {
        "name": "Lamp week",
        "texts": {"zh-Hant": {"name": "檯燈週"}},
        "rule": {"percent_off": 15},
        "items": [{"sku": "demo-lamp"}],
    },
    "threshold_reduction": {
        "name": "More for less",
        "texts": {"zh-Hant": {"name": "滿額減"}},
        "priority": -1,
        "rule": {"mode": "tiers", "tiers": [{"spend": 20_000, "off": 2_000}, {"spend": 50_000, "off": 6_000}]},
        "items": [{"sku": "demo-kettle"}, {"sku": "demo-headphones"}, {"sku": "demo-speaker"}],
    },
    "threshold_discount": {
        "name": "Two cups",
        "texts": {"zh-Hant": {"name": "茶杯第二件起"}},
        "rule": {"by": "count", "tiers": [{"at": 2, "percent_off": 20}, {"at": 4, "percent_off": 30}]},
        "items": [{"sku": "demo-cup"}],
    },
    "bundle": {
        "name": "Tea for one",
        "texts": {"zh-Hant": {"name": "一人茶席"}},
        "rule": {
            "price": 9_900,
            "components": [{"sku": "demo-cup", "quantity": 1}, {"sku": "demo-tea", "quantity": 1}],
        },
    },
    "threshold_gift": {
        "name": "A taste of tea",
        "texts": {"zh-Hant": {"name": "滿額贈茶"}},
        "rule": {
            "by": "amount",
            "mode": "best",
            "tiers": [{"at": 10_000, "gifts": [{"sku": "demo-sampler", "quantity": 1}]}],
        },
        "items": [{"sku": "demo-tea"}],
    },
    "add_on": {
        "name": "A towel with it",
        "texts": {"zh-Hant": {"name": "加價購布巾"}},
        "priority": 1,
        "rule": {"tiers": [{"spend": 20_000, "options": [{"sku": "demo-towel", "price": 900, "limit": 1}]}]},
        "items": [{"sku": "demo-kettle"}],
    },
    "group_buy": {
        "name": "Three listen",
        "texts": {"zh-Hant": {"name": "三人同聽"}},
        "rule": {"price": 59_900, "size": 3, "hours": 24},
        "items": [{"sku": "demo-headphones"}],
    },
    "presale": {
        "name": "The new speaker",
        "texts": {"zh-Hant": {"name": "新喇叭預購"}},
        "rule": {"deposit": 10_000, "mode": "leverage", "multiplier": 3},
        "items": [{"sku": "demo-speaker"}],
    },
}


def refresh(resources: Resources) -> None:
    """Make what is missing of the promotions; one that is over is made again under a new code.

    Raises:
        AdminError: a service refused.
    """
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        rows = connection.execute(select(campaigns).where(campaigns.c.demo, campaigns.c.archived.is_(False))).all()
    live = {row.type for row in rows if state_of(row, now) in LIVE}
    for kind, about in PROMOTIONS.items():
        if kind not in live:
            code = f"demo-{kind.replace('_', '-')}-{secrets.token_hex(2)}"
            body = {"type": kind, "code": code, "starts_at": now, "ends_at": now + LASTS_MS, **about}
            if kind == "presale":
                window = {"balance_starts_at": body["ends_at"], "balance_ends_at": body["ends_at"] + BALANCE_MS}
                body["rule"] = {**body["rule"], **window}
            campaign_service.create(resources, body, actor=ACTOR, demo=True)

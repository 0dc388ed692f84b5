"""Demo promotions: one of each kind beside flash sales, so that a new shop has prices to look at."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select

from admin.campaigns import service as campaign_service
from admin.campaigns.states import LIVE, state_of
from admin.campaigns.tables import campaigns
from admin.resources import Resources
from gateway.orders.database import now_ms, reading

LASTS_MS = 30 * 24 * 3_600_000
BALANCE_MS = 7 * 24 * 3_600_000
"""How long the balance of the demo pre-sale may be paid after its end."""

# Each lists demo goods only: somebody who tries their own beside them is not to wonder about prices.
PROMOTIONS: dict[str, dict[str, Any]] = {
    "item_discount": {
        "name": "Lamp week",
        "slogan": "Light for long evenings",
        "texts": {"zh-Hant": {"name": "檯燈週", "slogan": "長夜有光"}},
        "rule": {"percent_off": 15},
        "items": [{"sku": "demo-lamp"}],
    },
    "threshold_reduction": {
        "name": "More for less",
        "slogan": "The more, the less",
        "texts": {"zh-Hant": {"name": "滿額減", "slogan": "買越多，省越多"}},
        "priority": -1,
        "rule": {"mode": "tiers", "tiers": [{"spend": 20_000, "off": 2_000}, {"spend": 50_000, "off": 6_000}]},
        "items": [{"sku": "demo-kettle"}, {"sku": "demo-headphones"}, {"sku": "demo-speaker"}],
    },
    "threshold_discount": {
        "name": "Two cups",
        "slogan": "One for a guest",
        "texts": {"zh-Hant": {"name": "茶杯第二件起", "slogan": "一杯給客人"}},
        "rule": {"by": "count", "tiers": [{"at": 2, "percent_off": 20}, {"at": 4, "percent_off": 30}]},
        "items": [{"sku": "demo-cup"}],
    },
    "bundle": {
        "name": "Tea for one",
        "slogan": "Everything for a quiet cup",
        "texts": {"zh-Hant": {"name": "一人茶席", "slogan": "一盞清茶的時光"}},
        "rule": {
            "price": 9_900,
            "components": [{"sku": "demo-cup", "quantity": 1}, {"sku": "demo-tea", "quantity": 1}],
        },
    },
    "item_gift": {
        "name": "A sip with every pot",
        "slogan": "Tea to begin with",
        "texts": {"zh-Hant": {"name": "買壺贈茶", "slogan": "一壺好茶，馬上開始"}},
        "rule": {"gifts": [{"sku": "demo-sampler", "quantity": 1}], "per": 1},
        "items": [{"sku": "demo-pot"}],
    },
    "threshold_gift": {
        "name": "A taste of tea",
        "slogan": "Try what you do not know yet",
        "texts": {"zh-Hant": {"name": "滿額贈茶", "slogan": "嚐嚐沒喝過的"}},
        "rule": {
            "by": "amount",
            "mode": "best",
            "tiers": [{"at": 10_000, "gifts": [{"sku": "demo-sampler", "quantity": 1}]}],
        },
        "items": [{"sku": "demo-tea"}],
    },
    "add_on": {
        "name": "A towel with it",
        "slogan": "Dry hands for a little more",
        "texts": {"zh-Hant": {"name": "加價購布巾", "slogan": "加一點，帶回家"}},
        "priority": 1,
        "rule": {"tiers": [{"spend": 20_000, "options": [{"sku": "demo-towel", "price": 900, "limit": 1}]}]},
        "items": [{"sku": "demo-kettle"}],
    },
    "group_buy": {
        "name": "Three listen",
        "slogan": "Bring two friends",
        "texts": {"zh-Hant": {"name": "三人同聽", "slogan": "找兩位朋友一起"}},
        "rule": {"price": 59_900, "size": 3, "hours": 24},
        "items": [{"sku": "demo-headphones"}],
    },
    "presale": {
        "name": "The new speaker",
        "slogan": "The first ones off the line",
        "texts": {"zh-Hant": {"name": "新喇叭預購", "slogan": "第一批，先到先得"}},
        "rule": {"deposit": 10_000, "mode": "leverage", "multiplier": 3},
        "items": [{"sku": "demo-speaker"}],
    },
}


def refresh(resources: Resources, *, actor: str) -> None:
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
            campaign_service.create(resources, body, actor=actor, demo=True)

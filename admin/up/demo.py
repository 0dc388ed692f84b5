"""Demo sales: always one running, one about to open, one that has ended. Run once by `seckill up`.

Made through the same services as any operator's campaigns. At a later start what still serves stays, what is
over is made again under a new code, and no order is ever touched.
"""

from __future__ import annotations

import logging
import secrets
import sys
import time
from typing import Any

from sqlalchemy import Row, select

from admin.campaigns import service as campaign_service
from admin.campaigns.states import State, state_of
from admin.campaigns.tables import campaigns
from admin.catalog import service as catalog
from admin.errors import AdminError, NotFound
from admin.resources import Resources
from admin.up import demo_coupons, demo_goods, demo_promotions, demo_sessions
from gateway import offers
from gateway.errors import SeckillError
from gateway.lifeline import die_with_parent
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import offers as offers_table
from gateway.settings import Settings

ACTOR = "seckill up"
OPENS_IN_MS = 120_000
STILL_OPENING_MS = 30_000
"""An announced sale that opens sooner than this is no longer worth waiting for at a start."""
LASTS_MS = 2 * 3_600_000
ANNOUNCED_LASTS_MS = 20 * 60_000
"""Short, since every start may announce one more: a shop that is started again and again is not full of them."""
STILL_RUNNING_MS = 600_000
"""A running sale that ends sooner than this is joined by a new one."""
ENDS_IN_MS = 500
"""A window that is already over is refused, so the ended sale is made running, and waited for."""
ENDED_KEPT = 3
"""Older ended demo sales are deleted, or archived when they have orders."""

FREE_STOCK_MIN = 10_000

SALES: dict[str, dict[str, Any]] = {
    "running": {
        "name": "Open house",
        "slogan": "While it lasts",
        "texts": {"zh-Hant": {"name": "開門秒殺", "slogan": "售完為止"}},
        "rule": {"limit_per_shopper": 1, "pay_within_s": 900},
        "items": [
            {"sku": "demo-kettle", "stock": 200, "price": 9_900},
            {"sku": "demo-lamp", "stock": 20, "price": 4_900},
            {"sku": "demo-tea", "stock": 3, "price": 100},
        ],
    },
    "not_started": {
        "name": "Two-minute warning",
        "slogan": "The same second for everyone",
        "texts": {"zh-Hant": {"name": "倒數秒殺", "slogan": "同一秒，人人平等"}},
        "rule": {"limit_per_shopper": 1, "pay_within_s": 900},
        "items": [
            {"sku": "demo-headphones", "stock": 50, "price": 29_900},
            {"sku": "demo-lamp", "stock": 10, "price": 3_900},
        ],
    },
    "ended": {
        "name": "Early birds",
        "slogan": "For those who were there first",
        "texts": {"zh-Hant": {"name": "早鳥秒殺", "slogan": "先到先得"}},
        "rule": {"limit_per_shopper": 1, "pay_within_s": 900},
        "items": [{"sku": "demo-tea", "stock": 30, "price": 900}],
    },
}


def refresh(resources: Resources) -> None:
    """Make what is missing of the three sales, and of all that is beside them.

    Raises:
        AdminError: a service refused, or Redis is away.
    """
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        rows = connection.execute(
            select(campaigns)
            .where(
                campaigns.c.demo, campaigns.c.type == "seckill", ~campaigns.c.code.startswith(demo_sessions.PREFIX)
            )
            .where(campaigns.c.archived.is_(False), campaigns.c.removing.is_(False))
            .order_by(campaigns.c.created_at_ms.desc())
        ).all()
    by_state: dict[State, list[Row[Any]]] = {}
    for row in rows:
        by_state.setdefault(state_of(row, now), []).append(row)
    demo_goods.file(resources, actor=ACTOR)
    _stock_up(resources)
    if not any(_still_sells(resources, row, now) for row in by_state.get("running", [])):
        _make(resources, "running", now, now + LASTS_MS)
    if not any(row.starts_at_ms - now >= STILL_OPENING_MS for row in by_state.get("not_started", [])):
        _make(resources, "not_started", now + OPENS_IN_MS, now + OPENS_IN_MS + ANNOUNCED_LASTS_MS)
    ended = by_state.get("ended", [])
    if not ended:
        # By the clock of this moment: making the others may have taken a while.
        with reading(resources.engine) as connection:
            soon = now_ms(connection) + ENDS_IN_MS
        _make(resources, "ended", now - LASTS_MS, soon)
        with reading(resources.engine) as connection:
            time.sleep(max(0, soon - now_ms(connection)) / 1000)
    for row in ended[ENDED_KEPT:]:
        campaign_service.delete_campaign(resources, row.code, actor=ACTOR)
    demo_sessions.refresh(resources, actor=ACTOR)
    demo_promotions.refresh(resources, actor=ACTOR)
    demo_coupons.refresh(resources, actor=ACTOR)


def _still_sells(resources: Resources, campaign: Row[Any], now: int) -> bool:
    if campaign.ends_at_ms - now < STILL_RUNNING_MS:
        return False
    with reading(resources.engine) as connection:
        statement = select(offers_table.c.id).where(offers_table.c.campaign == campaign.code)
        ids = connection.execute(statement).scalars().all()
    found = [offers.read(resources.redis, each) for each in ids]
    return any(offer is not None and offer.left > 0 for offer in found)


def _stock_up(resources: Resources) -> None:
    """Every sale reserves stock, so see that there is always enough."""
    for sku, about in demo_goods.PRODUCTS.items():
        try:
            product = catalog.read(resources, sku)
        except NotFound:
            body = {"sku": sku, "stock": 2 * FREE_STOCK_MIN, **about}
            catalog.create(resources, body, actor=ACTOR)
            continue
        if product.free < FREE_STOCK_MIN:
            catalog.change(resources, sku, {"stock": product.stock + FREE_STOCK_MIN}, actor=ACTOR)


def _make(resources: Resources, state: State, starts_at_ms: int, ends_at_ms: int) -> None:
    code = f"demo-{secrets.token_hex(3)}"
    body = {"type": "seckill", "code": code, "starts_at": starts_at_ms, "ends_at": ends_at_ms, **SALES[state]}
    campaign_service.create(resources, body, actor=ACTOR, demo=True)


def main() -> int:
    """Refresh the demo of the environment's database and Redis; exit code 0 or 1."""
    die_with_parent()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        resources = Resources.open(Settings.from_env())
        try:
            refresh(resources)
        finally:
            resources.close()
    except (AdminError, SeckillError) as error:
        sys.stderr.write(f"seckill: the demo sales could not be made: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

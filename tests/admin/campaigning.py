"""Helpers of the tests about campaigns of all types: their examples with their products, and what is recorded."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

from sidecar import Shop
from sqlalchemy import select, update

from admin import changes
from admin.campaigns.models import CampaignFilter
from admin.campaigns.tables import campaigns
from admin.errors import Conflict
from admin.promotions.model import PromotionType
from gateway.orders.database import reading, writing

HOUR_MS = 3_600_000
EVERYTHING = CampaignFilter.model_validate({"limit": "500"})


def goods(shop: Shop, promotion: PromotionType) -> None:
    """The products of a type's example."""
    fields: Any = promotion.campaign.model_validate({**promotion.body, "draft": True})
    for sku in {*(item.sku for item in fields.items), *promotion.named(fields.rule)}:
        with suppress(Conflict):
            shop.product(sku=sku, price=99_000, stock=1_000_000)


def example(shop: Shop, promotion: PromotionType, **about: Any) -> dict[str, Any]:
    """A type's example that runs now."""
    now = shop.now_ms()
    return {
        **copy.deepcopy(dict(promotion.body)),
        "starts_at": now - HOUR_MS,
        "ends_at": now + HOUR_MS,
        "code": shop.unique("any"),
        **about,
    }


def noted(shop: Shop, code: str) -> list[Any]:
    """What is recorded of a campaign for prices, oldest first."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(
            select(changes.changes).where(changes.changes.c.subject == code).order_by(changes.changes.c.number)
        )
        return [row.body for row in rows]


def overwrite(shop: Shop, code: str, **values: Any) -> None:
    """Store what a newer version might have stored."""
    with writing(shop.resources.engine) as connection:
        connection.execute(update(campaigns).where(campaigns.c.code == code).values(**values))

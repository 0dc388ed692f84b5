"""Reminders under test: asked for, and found again in the database and on the stream."""

from __future__ import annotations

import itertools
from typing import Any

from sidecar import Shop
from sqlalchemy import select

from admin.notices.tables import notices
from admin.reminders import service
from admin.reminders.tables import reminders
from gateway import keys
from gateway.orders.database import reading

HOUR_S = 3600
_shoppers = itertools.count(1)


def ask(shop: Shop, offer: str, shopper: str = "", before_s: int = HOUR_S + 5) -> int:
    """A reminder that is due already, unless said otherwise: sales of `shop.later` begin in an hour."""
    name = shopper or f"s{next(_shoppers)}"
    return service.ask(shop.resources, name, {"offer": offer, "before_s": before_s}).id


def offer_of(campaign: Any) -> str:
    return f"{campaign.code}-{campaign.items[0].sku}"


def row(shop: Shop, reminder: int) -> Any:
    with reading(shop.resources.engine) as connection:
        return connection.execute(select(reminders).where(reminders.c.id == reminder)).one()


def streamed(shop: Shop) -> list[dict[str, str]]:
    entries: Any = shop.resources.redis.xrange(keys.reminders())
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in entries]


def noticed(shop: Shop, shopper: str) -> list[Any]:
    with reading(shop.resources.engine) as connection:
        return list(connection.execute(select(notices).where(notices.c.shopper == shopper)))

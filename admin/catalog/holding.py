"""What still needs a product or a category: campaigns that are published and not over, and orders on their way. A
draft holds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Row, String, cast, exists, false, or_, select

from admin.campaigns.states import LIVE, in_state
from admin.campaigns.tables import campaign_items, campaigns
from admin.orders.tables import order_lines
from admin.promotions import registry
from gateway.orders.tables import ACTIVE_STATES, offers, orders

LIVE_STATUSES = tuple(state for state in ACTIVE_STATES if state != "completed")
"""Orders that still need their products."""


def campaign_with_product(connection: Connection, sku: str, now_ms: int) -> str | None:
    """The code of a live campaign that lists a product, or whose rule names it."""
    listed = (
        select(campaigns.c.code)
        .join(campaign_items, campaign_items.c.campaign == campaigns.c.code)
        .where(campaign_items.c.sku == sku, campaign_items.c.removed == false(), _live(now_ms))
        .order_by(campaigns.c.code)
        .limit(1)
    )
    code: str | None = connection.execute(listed).scalar_one_or_none()
    if code is not None:
        return code
    return next((row.code for row in _mentioning(connection, sku, now_ms) if sku in _named(row)), None)


def in_live_order(connection: Connection, sku: str) -> bool:
    """Whether an order that is still on its way has a product, as a gift or an add-on, too."""
    live = orders.c.status.in_(LIVE_STATUSES)
    # Each has an index of its own.
    sold = exists().where(orders.c.offer == offers.c.id, offers.c.sku == sku, live)
    ordered = exists().where(orders.c.order_no == order_lines.c.order_no, order_lines.c.sku == sku, live)
    return bool(connection.execute(select(or_(sold, ordered))).scalar_one())


def campaign_with_category(connection: Connection, category: str, now_ms: int) -> str | None:
    """The code of a live campaign whose scope names a category."""
    for row in _mentioning(connection, category, now_ms):
        if row.terms.get("scope") == "category" and category in row.terms.get("categories", ()):
            return str(row.code)
    return None


def _live(now_ms: int) -> ColumnElement[bool]:
    return or_(*(in_state(state, now_ms) for state in LIVE))


def _mentioning(connection: Connection, text: str, now_ms: int) -> Iterator[Row[Any]]:
    """Live campaigns with a text anywhere in their terms, which the database finds without reading JSON."""
    mentions = cast(campaigns.c.terms, String).contains(json.dumps(text), autoescape=True)
    yield from connection.execute(select(campaigns).where(_live(now_ms), mentions).order_by(campaigns.c.code))


def _named(row: Row[Any]) -> frozenset[str]:
    """The products that a campaign's rule names; none when this version cannot read the rule."""
    promotion = registry.available().get(row.type)
    rule = row.terms.get("rule")
    if promotion is None or rule is None:
        return frozenset()
    try:
        read: Any = promotion.fields.model_validate({"rule": rule})
    except ValidationError:
        return frozenset()
    return frozenset(promotion.named(read.rule))

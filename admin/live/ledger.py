"""What the ledger knows of sales that are watched: the campaign, its orders by state, its newest winners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, and_, func, or_, select, union_all

from admin.campaigns.states import State, in_state, state_of
from admin.campaigns.stored import as_object
from admin.campaigns.tables import campaigns
from admin.errors import NotFound
from admin.live.models import LiveOrders, LiveWinner
from admin.reports.lines import PAID, UNPAID
from admin.resources import Resources
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import SECKILL, offers, orders

WINNERS_MAX = 10
SALES_MAX = 40
"""Campaigns that are watched together."""
OFFERS_LOOKED_AT = 20
"""The newest winners are looked for among so many offers, which sold last."""
AHEAD_MS = 86_400_000
"""A sale that begins within a day is watched with those that are on."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A campaign with its offers, by id: SKU and name."""

    code: str
    name: str | None
    state: State
    starts_at: str
    ends_at: str
    offers: Mapping[str, tuple[str, str]]


def sale(resources: Resources, code: str) -> Sale:
    """One seckill.

    Raises:
        NotFound: there is none, or it is a draft.
    """
    with reading(resources.engine) as connection:
        found = _sales(resources, connection, campaigns.c.code == code)
    if not found:
        raise NotFound(f"there is no published seckill {code}")
    return found[0]


def sales(resources: Resources) -> list[Sale]:
    """All that are on, or begin within a day."""
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        soon = and_(in_state("not_started", now), campaigns.c.starts_at_ms < now + AHEAD_MS)
        return _sales(resources, connection, or_(in_state("running", now), in_state("paused", now), soon))


def _sales(resources: Resources, connection: Connection, which: Any) -> list[Sale]:
    statement = select(campaigns).where(campaigns.c.type == SECKILL, campaigns.c.removing.is_(False), which)
    rows = connection.execute(
        statement.where(campaigns.c.draft.is_(False)).order_by(campaigns.c.ends_at_ms).limit(SALES_MAX)
    ).all()
    now = now_ms(connection)
    its: dict[str, dict[str, tuple[str, str]]] = {row.code: {} for row in rows}
    mine = select(offers.c.id, offers.c.campaign, offers.c.sku, offers.c.card).where(offers.c.campaign.in_(its))
    for each in connection.execute(mine.order_by(offers.c.id)):
        its[each.campaign][each.id] = each.sku, orjson.loads(each.card).get("name") or each.sku
    return [_sale(resources, row, its[row.code], now) for row in rows]


def _sale(resources: Resources, row: Row[Any], its: Mapping[str, tuple[str, str]], now: int) -> Sale:
    return Sale(
        row.code,
        as_object(row.terms).get("name"),
        state_of(row, now),
        resources.iso(row.starts_at_ms),
        resources.iso(row.ends_at_ms),
        its,
    )


def sums(resources: Resources, code: str) -> LiveOrders:
    """Orders of a campaign by what became of them."""
    found = {"pending": 0, "paid": 0, "unpaid": 0}
    with reading(resources.engine) as connection:
        for status, number in connection.execute(
            select(orders.c.status, func.count()).where(orders.c.campaign == code).group_by(orders.c.status)
        ):
            found["paid" if status in PAID else "unpaid" if status in UNPAID else "pending"] += number
    return LiveOrders(**found)


def winners(resources: Resources, sold_last: Sequence[str]) -> list[LiveWinner]:
    """The newest winners of some offers, given in the order of their last sale."""
    looked_at = list(sold_last[:OFFERS_LOOKED_AT])
    if not looked_at:
        return []
    # Each offer by its index: sorting all orders of a campaign would take too long.
    newest = [
        select(
            orders.c.order_no,
            orders.c.shopper,
            orders.c.sku,
            orders.c.quantity,
            orders.c.status,
            orders.c.created_at_ms,
        )
        .where(orders.c.offer == offer)
        .order_by(orders.c.created_at_ms.desc(), orders.c.order_no.desc())
        .limit(WINNERS_MAX)
        .subquery()
        for offer in looked_at
    ]
    with reading(resources.engine) as connection:
        rows = connection.execute(union_all(*(select(each) for each in newest))).all()
    rows = sorted(rows, key=lambda row: (-row.created_at_ms, row.order_no))[:WINNERS_MAX]
    return [
        LiveWinner(
            order_no=row.order_no,
            shopper=row.shopper,
            sku=row.sku,
            quantity=row.quantity,
            status=row.status,
            won_at=resources.iso(row.created_at_ms),
        )
        for row in rows
    ]

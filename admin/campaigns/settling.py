"""After the end: units that nobody bought go back to the product's free stock."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import and_, exists, func, or_, select, update

from admin.campaigns.tables import campaign_items, campaigns
from admin.catalog import service as catalog
from admin.resources import Resources
from gateway import offers as published
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers, order_units, orders

GRACE_MS = 2000
"""How long after its end an offer is left alone, for clocks that differ and batches still under way."""


class Due(NamedTuple):
    """A published item of an ended campaign."""

    id: str
    campaign: str
    sku: str


def due(resources: Resources, limit: int) -> list[Due]:
    """Published items of ended campaigns that may have units to give back."""
    with reading(resources.engine) as connection:
        end = now_ms(connection) - GRACE_MS
        rows = connection.execute(
            select(offers.c.id, offers.c.campaign, offers.c.sku)
            .join(campaigns, campaigns.c.code == offers.c.campaign)
            .join(
                campaign_items,
                and_(campaign_items.c.campaign == offers.c.campaign, campaign_items.c.sku == offers.c.sku),
            )
            .where(
                campaign_items.c.settled.is_(False),
                offers.c.published_version == offers.c.version,
                or_(campaigns.c.ends_at_ms <= end, campaigns.c.terminated_at_ms <= end),
            )
            # Those with the fewest returned first, so that waiting ones cannot keep new ones out.
            .order_by(campaign_items.c.returned, offers.c.ends_at_ms.desc(), offers.c.id)
            .limit(limit)
        ).all()
    return [Due(*row) for row in rows]


def settle(resources: Resources, due_item: Due) -> None:
    """Give back what is left of one offer; final once every order of it is paid for or over.

    Raises:
        RedisError: Redis cannot be reached.
    """
    found = published.read(resources.redis, due_item.id)
    if found is None:
        return
    item = campaign_items.c.campaign == due_item.campaign, campaign_items.c.sku == due_item.sku
    with writing(resources.engine) as connection:
        returned = connection.execute(
            select(campaign_items.c.returned).where(*item).with_for_update()
        ).scalar_one_or_none()
        if returned is None:
            return
        unpaid = exists().where(orders.c.offer == due_item.id, orders.c.status == "pending")
        # Paid back and not sold again: such a unit stays with its ticket in Redis.
        written = select(func.count()).where(order_units.c.offer == due_item.id, ~order_units.c.released)
        # Fewer units written than held: some winners are still on their way to the ledger.
        final = (
            not connection.execute(select(unpaid)).scalar_one()
            and connection.execute(written).scalar_one() == found.held
        )
        if found.left > returned:
            catalog.give_back(connection, {due_item.sku: found.left - returned})
        connection.execute(
            update(campaign_items).where(*item).values(returned=max(found.left, returned), settled=final)
        )

"""Taking offers that never sold out of Redis and the ledger, for campaigns and items deleted before their start."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, or_, select, update

from admin import changes
from admin.campaigns import recording
from admin.campaigns.stored import load
from admin.campaigns.tables import campaign_items, campaigns, offer_removals
from admin.catalog import service as catalog
from admin.resources import Resources
from gateway import offers as published
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers, orders, stock_operations


def request(connection: Connection, rows: list[Row[Any]]) -> None:
    """Note that offers are to be removed; the caller terminates them, so that they cannot sell meanwhile."""
    now = now_ms(connection)
    if rows:
        connection.execute(insert(offer_removals), [{"offer": row.id, "requested_at_ms": now} for row in rows])


def requested(resources: Resources, limit: int) -> list[str]:
    """Offers that wait for their removal."""
    with reading(resources.engine) as connection:
        return list(
            connection.execute(
                select(offer_removals.c.offer).order_by(offer_removals.c.offer).limit(limit)
            ).scalars()
        )


def remove(resources: Resources, offer: str) -> None:
    """Remove one offer; one that has sold after all stays, terminated, and its campaign is archived.

    Raises:
        RedisError: Redis cannot be reached.
    """
    resources.redis.ping()
    with writing(resources.engine) as connection:
        row = connection.execute(
            select(offers)
            .join(offer_removals, offer_removals.c.offer == offers.c.id)
            .where(offers.c.id == offer)
            .with_for_update()
        ).one_or_none()
        if row is None:
            return
        sold = connection.execute(select(exists().where(orders.c.offer == offer))).scalar_one()
        if not sold:
            sold = not published.remove(resources.redis, offer, row.epoch)
        connection.execute(delete(offer_removals).where(offer_removals.c.offer == offer))
        if sold:
            _keep(connection, row)
        else:
            _forget(connection, row)
        _forget_campaign(connection, row.campaign)


def _keep(connection: Connection, row: Row[Any]) -> None:
    kept = connection.execute(
        update(campaigns)
        .where(campaigns.c.code == row.campaign, campaigns.c.removing)
        .values(removing=False, archived=True, terminated_at_ms=now_ms(connection))
    )
    if kept.rowcount:
        changes.note(connection, "campaign", row.campaign, recording.for_prices(load(connection, row.campaign)))


def _forget(connection: Connection, row: Row[Any]) -> None:
    item = campaign_items.c.campaign == row.campaign, campaign_items.c.sku == row.sku
    returned = connection.execute(select(campaign_items.c.returned).where(*item)).scalar_one()
    catalog.give_back(connection, {row.sku: row.stock - returned})
    connection.execute(delete(stock_operations).where(stock_operations.c.offer == row.id))
    connection.execute(delete(campaign_items).where(*item))
    connection.execute(delete(offers).where(offers.c.id == row.id))


def _forget_campaign(connection: Connection, code: str) -> None:
    """Delete a campaign that is being removed once nothing of it is left."""
    left = or_(exists().where(offers.c.campaign == code), exists().where(campaign_items.c.campaign == code))
    connection.execute(delete(campaigns).where(campaigns.c.code == code, campaigns.c.removing, ~left))

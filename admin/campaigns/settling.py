"""After the end: units that nobody bought go back to the product's free stock."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, or_, select, update

from admin.campaigns.tables import campaign_items, campaigns
from admin.catalog import service as catalog
from admin.resources import Resources
from gateway import offers as published
from gateway.orders import runs
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers, order_units, orders, stock_operations, unit_releases

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
    # No row is locked while Redis does not even answer.
    there = runs.now(resources.redis)
    with writing(resources.engine) as connection:
        item = _lock(connection, due_item)
        if item is None or _exists(connection, stock_operations, due_item, stock_operations.c.state == "pending"):
            return
        # Only now: a cut that was recorded in time has been taken from what is left, and no other can follow.
        found = published.read(resources.redis, due_item.id)
        if found is None or found.epoch != item.epoch or not runs.open_on(found, there):
            # What a Redis holds that nobody has checked may be older than what it has sold.
            return
        if found.left > item.returned:
            catalog.give_back(connection, {due_item.sku: found.left - item.returned})
        connection.execute(
            update(campaign_items)
            .where(*_is(due_item))
            .values(returned=max(found.left, item.returned), settled=_final(connection, due_item, found.held))
        )


def _is(due_item: Due) -> tuple[ColumnElement[bool], ...]:
    return campaign_items.c.campaign == due_item.campaign, campaign_items.c.sku == due_item.sku


def _lock(connection: Connection, due_item: Due) -> Any:
    return connection.execute(
        select(campaign_items.c.returned, offers.c.epoch)
        .join(offers, offers.c.id == due_item.id)
        .where(*_is(due_item))
        .with_for_update(of=campaign_items)
    ).one_or_none()


def _exists(connection: Connection, table: Table, due_item: Due, *holds: ColumnElement[bool]) -> bool:
    statement = select(exists().where(table.c.offer == due_item.id, *holds))
    return bool(connection.execute(statement).scalar_one())


def _final(connection: Connection, due_item: Due, held: int) -> bool:
    """Whether nothing can come back any more but by a refund, which opens the item again."""
    if _exists(connection, orders, due_item, orders.c.status == "pending") or _exists(
        connection, unit_releases, due_item, unit_releases.c.done_at_ms.is_(None)
    ):
        return False
    # Paid back and not sold again: such a unit stays with its ticket in Redis.
    written = select(func.count()).where(order_units.c.offer == due_item.id, ~order_units.c.released)
    # Fewer units written than held: some winners are still on their way to the ledger.
    return bool(connection.execute(written).scalar_one() == held)

"""Counts against the sums that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select

from admin.campaigns.tables import campaign_items
from admin.catalog.tables import products
from admin.coupons import claiming
from admin.reconcile.breaches import ShopBreach
from admin.reservations.tables import reservations, tallies
from gateway.orders.tables import SECKILL, offers, order_units, orders

HANDED_OVER = ("paid", "shipped", "completed", "refunding", "refunded")
"""States of orders of the gateway whose units have left the shop, but for those that came back on sale."""


def check(connection: Connection) -> Iterator[ShopBreach]:
    """Tallies, promised stock and claims."""
    yield from _tallies(connection)
    yield from _promised(connection)
    for row in claiming.miscounted(connection):
        says = f"{row.claims} shoppers hold it, and {row.claimed} are counted"
        yield ShopBreach("claims_differ", says, f"coupon {row.code}", key=(row.code,))


def held(*these: ColumnElement[bool]) -> Select[Any]:
    """What orders hold of things that have tallies, by thing."""

    def amount(state: str) -> Any:
        return func.sum(case((reservations.c.state == state, reservations.c.amount), else_=0))

    key = reservations.c.kind, reservations.c.subject, reservations.c.owner
    return (
        select(*key, amount("reserved").label("reserved"), amount("committed").label("committed"))
        .where(reservations.c.kind != "stock", *these)
        .group_by(*key)
    )


def _tallies(connection: Connection) -> Iterator[ShopBreach]:
    sums = held().subquery("sums")
    same = and_(*(tallies.c[name] == sums.c[name] for name in ("kind", "subject", "owner")))
    sum_reserved, sum_committed = (func.coalesce(sums.c[name], 0) for name in ("reserved", "committed"))
    counted = (
        select(tallies, sum_reserved.label("sum_reserved"), sum_committed.label("sum_committed"))
        .select_from(tallies.outerjoin(sums, same))
        .where(or_(tallies.c.reserved != sum_reserved, tallies.c.committed != sum_committed))
    )
    zero = literal(0)
    uncounted = (
        select(
            sums.c.kind,
            sums.c.subject,
            sums.c.owner,
            zero.label("reserved"),
            zero.label("committed"),
            sums.c.reserved.label("sum_reserved"),
            sums.c.committed.label("sum_committed"),
        )
        .select_from(sums.outerjoin(tallies, same))
        .where(tallies.c.kind.is_(None), sums.c.reserved + sums.c.committed > 0)
    )
    for row in (*connection.execute(counted), *connection.execute(uncounted)):
        says = (
            f"{row.reserved} are counted as reserved and {row.committed} as committed; "
            f"orders hold {row.sum_reserved} and {row.sum_committed}"
        )
        subject = " ".join(part for part in (row.kind, row.subject, row.owner) if part)
        yield ShopBreach("tally_differs", says, subject, key=(row.kind, row.subject, row.owner))


def promised(connection: Connection, *skus: str) -> dict[str, int]:
    """How much of products, of all or some, is promised to orders and offers."""

    def only(column: ColumnElement[str]) -> tuple[ColumnElement[bool], ...]:
        return (column.in_(skus),) if skus else ()

    found: dict[str, int] = {}
    gone = (
        select(order_units.c.offer, func.count().label("units"))
        .join(orders, orders.c.order_no == order_units.c.order_no)
        .where(orders.c.flow == SECKILL, orders.c.status.in_(HANDED_OVER), ~order_units.c.released)
        .where(*only(orders.c.sku))
        .group_by(order_units.c.offer)
        .subquery("gone")
    )
    item = and_(campaign_items.c.campaign == offers.c.campaign, campaign_items.c.sku == offers.c.sku)
    left = offers.c.stock - func.coalesce(campaign_items.c.returned, 0) - func.coalesce(gone.c.units, 0)
    by_offers = (
        select(offers.c.sku, func.sum(left))
        .select_from(offers.outerjoin(campaign_items, item).outerjoin(gone, gone.c.offer == offers.c.id))
        .where(*only(offers.c.sku))
        .group_by(offers.c.sku)
    )
    by_orders = (
        select(reservations.c.subject, func.sum(reservations.c.amount))
        .where(reservations.c.kind == "stock", reservations.c.state == "reserved", *only(reservations.c.subject))
        .group_by(reservations.c.subject)
    )
    for statement in (by_offers, by_orders):
        for sku, units in connection.execute(statement):
            found[sku] = found.get(sku, 0) + int(units)
    return found


def _promised(connection: Connection) -> Iterator[ShopBreach]:
    wanted = promised(connection)
    for sku, reserved in connection.execute(select(products.c.sku, products.c.reserved).order_by(products.c.sku)):
        if reserved != wanted.get(sku, 0):
            says = f"{reserved} units are promised, and orders and offers hold {wanted.get(sku, 0)}"
            yield ShopBreach("promised_differs", says, f"product {sku}", key=(sku,))

"""Figures of a seckill: from the ledger, with the newest counts from Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from redis.exceptions import RedisError
from sqlalchemy import Connection, Row, and_, case, func, select

from admin.campaigns.stored import Stored
from admin.payments.tables import refunds
from admin.reports import newcomers
from admin.reports.lines import PAID, UNPAID
from admin.reports.models import OfferFigures
from admin.reports.returned import that_paid_back
from admin.resources import Resources
from gateway import offers as published
from gateway.orders.tables import order_units, orders

_HELD_PAID = ("paid", "shipped", "completed", "refunding")


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger says, by offer; `newcomers` of the whole campaign under None."""

    sums: Mapping[str, Row[Any]]
    units: Mapping[str, Row[Any]]
    refunds: Mapping[str, Row[Any]]
    newcomers: Mapping[str | None, int]


def read(connection: Connection, code: str) -> Ledger:
    """What the ledger says of a campaign's offers."""
    these = orders.c.campaign == code

    def by_offer(statement: Any) -> dict[str, Row[Any]]:
        return {row.offer: row for row in connection.execute(statement)}

    return Ledger(
        by_offer(_sums(code)),
        by_offer(_units(code)),
        by_offer(_refunds(code)),
        newcomers.by(connection, these, orders.c.offer, orders, these),
    )


def figures(resources: Resources, stored: Stored, ledger: Ledger) -> tuple[OfferFigures, list[OfferFigures], bool]:
    """The total, a line for each offer, and whether Redis could be asked."""
    live = True
    lines = []
    for row in stored.offers.values():
        found, clicks = None, {}
        if live:
            try:
                found = published.read(resources.redis, row.id)
                clicks = published.clicks_by_outcome(resources.redis, row.id)
            except RedisError:
                live = False
        lines.append(_line(resources, row, ledger, found, clicks))
    position = {item.sku: item.position for item in stored.items}
    lines.sort(key=lambda line: position.get(line.sku or "", len(position)))
    return _total(lines, ledger.newcomers[None] or 0), lines, live


def _sums(code: str) -> Any:
    return (
        select(
            orders.c.offer,
            func.count().label("orders"),
            func.sum(case((orders.c.status.in_(PAID), 1), else_=0)).label("orders_paid"),
            func.sum(case((orders.c.status.in_(UNPAID), 1), else_=0)).label("orders_unpaid"),
            func.sum(orders.c.quantity).label("units"),
            func.min(orders.c.won_at_ms).label("first"),
            func.max(orders.c.won_at_ms).label("last"),
        )
        .where(orders.c.campaign == code)
        .group_by(orders.c.offer)
    )


def _units(code: str) -> Any:
    active, released, paid = order_units.c.active, order_units.c.released, orders.c.status.in_(_HELD_PAID)
    return (
        select(
            order_units.c.offer,
            # Paid back and not sold again: such a unit stays with its ticket in Redis.
            func.sum(case((released, 0), else_=1)).label("held"),
            func.sum(case((and_(active, paid), 1), else_=0)).label("paid"),
            func.sum(case((released, 1), else_=0)).label("released"),
            func.sum(case((and_(released, orders.c.status.in_(UNPAID)), 1), else_=0)).label("expired"),
            # Units that are paid for or may still be, and were not paid back.
            func.sum(case((active, 1), else_=0)).label("earning"),
            func.sum(case((active, orders.c.price), else_=0)).label("gmv"),
        )
        .join(orders, orders.c.order_no == order_units.c.order_no)
        .where(orders.c.campaign == code)
        .group_by(order_units.c.offer)
    )


def _refunds(code: str) -> Any:
    return (
        select(orders.c.offer, func.count().label("number"), func.sum(refunds.c.amount).label("amount"))
        .join(orders, orders.c.order_no == refunds.c.order_no)
        .where(orders.c.campaign == code, *that_paid_back())
        .group_by(orders.c.offer)
    )


def _line(
    resources: Resources, row: Row[Any], ledger: Ledger, found: published.Offer | None, clicks: dict[str, int]
) -> OfferFigures:
    sums, units, back = ledger.sums.get(row.id), ledger.units.get(row.id), ledger.refunds.get(row.id)

    def unit(name: str) -> int:
        return int(getattr(units, name)) if units is not None else 0

    def order(name: str) -> int:
        return int(getattr(sums, name)) if sums is not None else 0

    # Redis knows of winners that are still on their way to the ledger.
    held = found.held if found is not None else unit("held")
    stock = found.stock if found is not None else row.stock
    below_base = orjson.loads(row.card)["original_price"] * unit("earning") - unit("gmv")
    return OfferFigures(
        sku=row.sku,
        offer=row.id,
        orders=order("orders"),
        orders_paid=order("orders_paid"),
        orders_unpaid=order("orders_unpaid"),
        units=order("units"),
        add_ons_sold=0,
        gifts_given=0,
        gmv=unit("gmv"),
        refunded=int(back.amount) if back is not None else 0,
        given_away=below_base,
        discounts=below_base,
        add_ons=0,
        gifts=0,
        coupons=0,
        new_customers=ledger.newcomers.get(row.id, 0),
        first_sale_at=resources.iso_or_none(sums.first if sums is not None else None),
        last_sale_at=resources.iso_or_none(sums.last if sums is not None else None),
        stock=stock,
        sold=held + unit("released"),
        left=stock - held,
        held=held,
        paid=unit("paid"),
        expired=unit("expired"),
        clicks=clicks,
    )


def _total(lines: list[OfferFigures], new_customers: int) -> OfferFigures:
    clicks: dict[str, int] = {}
    for line in lines:
        for outcome, count in line.clicks.items():
            clicks[outcome] = clicks.get(outcome, 0) + count
    sums: dict[str, int] = {
        name: sum(getattr(line, name) for line in lines)
        for name, field in OfferFigures.model_fields.items()
        if field.annotation is int
    }
    return OfferFigures(
        **sums | {"new_customers": new_customers},
        sku=None,
        offer=None,
        first_sale_at=min((line.first_sale_at for line in lines if line.first_sale_at), default=None),
        last_sale_at=max((line.last_sale_at for line in lines if line.last_sale_at), default=None),
        clicks=clicks,
    )

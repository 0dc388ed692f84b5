"""How a campaign sells: from the ledger, with the newest counts from Redis."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from sqlalchemy import Connection, Row, and_, case, distinct, exists, func, select

from admin.campaigns.states import State
from admin.campaigns.stored import Stored, as_object, load
from admin.inputs import Query
from admin.payments.tables import refunds
from admin.resources import Resources
from gateway import offers as published
from gateway.orders.database import reading
from gateway.orders.tables import ACTIVE_STATES, order_units, orders

PAID = ("paid", "shipped", "completed", "refunding")
UNPAID = ("expired", "cancelled")
OUTCOMES = (
    "won",
    "already_won",
    "sold_out",
    "limit_reached",
    "not_started",
    "ended",
    "paused",
    "not_eligible",
    "rate_limited",
    "busy",
    "unavailable",
    "unknown",
)
"""Outcomes of a click, in the order of the table's columns; others that a gateway reports follow them."""


class ReportFormat(Query):
    """How the report is wanted."""

    format: Literal["json", "csv"] = "json"


class OfferReport(BaseModel):
    """Figures of one offer, or of all together.

    Units: `sold` ever, `left` to sell, `held` by shoppers now (or refunded and not to be sold again), `paid` of
    those held, `expired` given back unpaid.
    Money: `gmv` of orders that are paid or may still be; `given_away` below the base price on those.
    """

    sku: str | None = Field(description="null in the total")
    offer: str | None
    stock: int
    sold: int
    left: int
    held: int
    paid: int
    expired: int
    orders: int
    units: int
    gmv: int
    given_away: int
    new_customers: int
    first_sale_at: str | None
    last_sale_at: str | None
    clicks: dict[str, int]


class Refunds(BaseModel):
    """Money that went back for the campaign's orders; what came too late and never paid for one is not in it."""

    count: int
    amount: int


class Report(BaseModel):
    """How a campaign sells. `live` is false when Redis could not be asked and only the ledger speaks."""

    code: str
    type: str
    name: str | None
    state: State
    currency: str
    generated_at: str
    live: bool
    total: OfferReport
    offers: list[OfferReport]
    refunds: Refunds
    limits_left: dict[str, int] | None
    budget_left: int | None


def make(resources: Resources, code: str) -> Report:
    """The report of a campaign.

    Raises:
        NotFound: there is no such campaign.
    """
    with reading(resources.engine) as connection:
        stored = load(connection, code)
        sums = {row.offer: row for row in connection.execute(_sums(code))}
        units = {row.offer: row for row in connection.execute(_units(code))}
        newcomers = _new_customers(connection, code)
        refunded = connection.execute(
            select(func.count(), func.coalesce(func.sum(refunds.c.amount), 0))
            .join(orders, orders.c.order_no == refunds.c.order_no)
            .where(orders.c.campaign == code, refunds.c.state == "settled", refunds.c.reason == "asked")
        ).one()
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
        lines.append(_line(resources, row, sums.get(row.id), units.get(row.id), newcomers, found, clicks))
    lines = _in_order(stored, lines)
    return Report(
        code=code,
        type=stored.row.type,
        name=as_object(stored.row.terms).get("name"),
        state=stored.state,
        currency=resources.currency,
        generated_at=resources.iso(stored.now_ms),
        live=live,
        total=_total(lines, newcomers.get(None, 0)),
        offers=lines,
        refunds=Refunds(count=refunded[0], amount=int(refunded[1])),
        limits_left=None,
        budget_left=None,
    )


def _in_order(stored: Stored, lines: list[OfferReport]) -> list[OfferReport]:
    position = {item.sku: item.position for item in stored.items}
    return sorted(lines, key=lambda line: position.get(line.sku or "", len(position)))


def _sums(code: str) -> Any:
    earning = orders.c.status.in_(ACTIVE_STATES)
    return (
        select(
            orders.c.offer,
            func.count().label("orders"),
            func.sum(orders.c.quantity).label("units"),
            func.sum(case((earning, orders.c.total), else_=0)).label("gmv"),
            func.sum(case((earning, orders.c.quantity), else_=0)).label("earning_units"),
            func.min(orders.c.won_at_ms).label("first"),
            func.max(orders.c.won_at_ms).label("last"),
        )
        .where(orders.c.campaign == code)
        .group_by(orders.c.offer)
    )


def _units(code: str) -> Any:
    active, released, paid = order_units.c.active, order_units.c.released, orders.c.status.in_(PAID)
    return (
        select(
            order_units.c.offer,
            # Paid back and not sold again: such a unit stays with its ticket in Redis.
            func.sum(case((released, 0), else_=1)).label("held"),
            func.sum(case((and_(active, paid), 1), else_=0)).label("paid"),
            func.sum(case((released, 1), else_=0)).label("released"),
            func.sum(case((and_(released, orders.c.status.in_(UNPAID)), 1), else_=0)).label("expired"),
        )
        .join(orders, orders.c.order_no == order_units.c.order_no)
        .where(orders.c.campaign == code)
        .group_by(order_units.c.offer)
    )


def _new_customers(connection: Connection, code: str) -> dict[str | None, int]:
    """Shoppers without a paid order before the one here, by offer; of the whole campaign under None."""
    earlier = orders.alias("earlier")
    newcomer = (
        orders.c.campaign == code,
        orders.c.status.in_(ACTIVE_STATES),
        ~exists().where(
            earlier.c.shopper == orders.c.shopper,
            earlier.c.status.in_(PAID),
            earlier.c.campaign != code,
            earlier.c.created_at_ms < orders.c.created_at_ms,
        ),
    )
    counts: dict[str | None, int] = {
        row.offer: row.shoppers
        for row in connection.execute(
            select(orders.c.offer, func.count(distinct(orders.c.shopper)).label("shoppers"))
            .where(*newcomer)
            .group_by(orders.c.offer)
        )
    }
    counts[None] = connection.execute(select(func.count(distinct(orders.c.shopper))).where(*newcomer)).scalar_one()
    return counts


def _line(
    resources: Resources,
    row: Row[Any],
    sums: Row[Any] | None,
    units: Row[Any] | None,
    newcomers: Mapping[str | None, int],
    found: published.Offer | None,
    clicks: dict[str, int],
) -> OfferReport:
    released = int(units.released) if units is not None else 0
    # Redis knows of winners that are still on their way to the ledger.
    held = found.held if found is not None else int(units.held) if units is not None else 0
    stock = found.stock if found is not None else row.stock
    base = orjson.loads(row.card)["original_price"]
    gmv = int(sums.gmv) if sums is not None else 0
    return OfferReport(
        sku=row.sku,
        offer=row.id,
        stock=stock,
        sold=held + released,
        left=stock - held,
        held=held,
        paid=int(units.paid) if units is not None else 0,
        expired=int(units.expired) if units is not None else 0,
        orders=sums.orders if sums is not None else 0,
        units=int(sums.units) if sums is not None else 0,
        gmv=gmv,
        given_away=base * int(sums.earning_units) - gmv if sums is not None else 0,
        new_customers=newcomers.get(row.id, 0),
        first_sale_at=resources.iso_or_none(sums.first if sums is not None else None),
        last_sale_at=resources.iso_or_none(sums.last if sums is not None else None),
        clicks=clicks,
    )


def _total(lines: list[OfferReport], new_customers: int) -> OfferReport:
    def total(name: str) -> int:
        return sum(getattr(line, name) for line in lines)

    clicks: dict[str, int] = {}
    for line in lines:
        for outcome, count in line.clicks.items():
            clicks[outcome] = clicks.get(outcome, 0) + count
    return OfferReport(
        sku=None,
        offer=None,
        stock=total("stock"),
        sold=total("sold"),
        left=total("left"),
        held=total("held"),
        paid=total("paid"),
        expired=total("expired"),
        orders=total("orders"),
        units=total("units"),
        gmv=total("gmv"),
        given_away=total("given_away"),
        new_customers=new_customers,
        first_sale_at=min((line.first_sale_at for line in lines if line.first_sale_at), default=None),
        last_sale_at=max((line.last_sale_at for line in lines if line.last_sale_at), default=None),
        clicks=clicks,
    )


def as_csv(report: Report) -> str:
    """One line per offer and one for the total; the clicks by outcome are columns of their own."""
    named = {outcome for line in (*report.offers, report.total) for outcome in line.clicks}
    outcomes = [*OUTCOMES, *sorted(named - set(OUTCOMES))]
    figures = [name for name in OfferReport.model_fields if name != "clicks"]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["campaign", "name", "state", "currency", *figures, *(f"clicks_{name}" for name in outcomes)])
    for line in (*report.offers, report.total):
        cells = [report.code, report.name, report.state, report.currency]
        cells += [getattr(line, name) for name in figures]
        cells += [line.clicks.get(name, 0) for name in outcomes]  # type: ignore[misc]
        writer.writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip()[:1] in {"=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"}:
        return f"'{value}"
    return "" if value is None else value

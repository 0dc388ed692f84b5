"""How the shop sells, day by day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from admin.errors import Invalid
from admin.payments.tables import refunds
from admin.reports.lines import PAID, UNPAID
from admin.reports.models import Day, DayFigures, Days, ShopReport
from admin.reports.returned import that_paid_back
from admin.resources import Resources
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import ACTIVE_STATES, orders

DAYS_MAX = 366
"""Most days in one report."""


def make(resources: Resources, wanted: Days) -> ShopReport:
    """The report of some days.

    Raises:
        Invalid: the days are too many, or end before they begin.
    """
    if wanted.last < wanted.first:
        raise Invalid.one("to", "before_from", "want a day that is not before `from`")
    if (wanted.last - wanted.first).days >= DAYS_MAX:
        raise Invalid.one("to", "too_many_days", f"want at most {DAYS_MAX} days")
    with reading(resources.engine) as connection:
        spans = list(_spans(resources, wanted))
        back = _refunded(connection, spans)
        return ShopReport(
            currency=resources.currency,
            generated_at=resources.iso(now_ms(connection)),
            days=[_day(connection, day, begins, ends, back[day]) for day, begins, ends in spans],
        )


def _spans(resources: Resources, wanted: Days) -> Iterator[tuple[date, int, int]]:
    """Each day with its first instant and the next day's, epoch ms; days may have 23 or 25 hours."""

    def begin(day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=resources.zone).timestamp()) * 1000

    for place in range((wanted.last - wanted.first).days + 1):
        day = wanted.first + timedelta(days=place)
        yield day, begin(day), begin(day + timedelta(days=1))


def _day(connection: Connection, day: date, begins: int, ends: int, refunded: int) -> Day:
    made = orders.c.created_at_ms >= begins, orders.c.created_at_ms < ends
    flows: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(DayFigures.model_fields, 0))
    states: Counter[str] = Counter()
    for row in connection.execute(
        select(
            orders.c.flow,
            orders.c.status,
            func.count().label("orders"),
            func.sum(orders.c.quantity).label("units"),
            func.sum(orders.c.total).label("gmv"),
            func.coalesce(func.sum(orders.c.discount), 0).label("discounts"),
            func.coalesce(func.sum(orders.c.coupon_discount), 0).label("coupons"),
        )
        .where(*made)
        .group_by(orders.c.flow, orders.c.status)
        .order_by(orders.c.flow)
    ):
        sums = flows[row.flow]
        states[row.status] += row.orders
        counts = {
            "orders": row.orders,
            "orders_paid": row.orders if row.status in PAID else 0,
            "orders_unpaid": row.orders if row.status in UNPAID else 0,
            "units": row.units,
        }
        earned = ("gmv", "discounts", "coupons") if row.status in ACTIVE_STATES else ()
        for name, value in (*counts.items(), *((name, getattr(row, name)) for name in earned)):
            sums[name] += int(value)
    for row in connection.execute(
        select(orders.c.flow, func.sum(refunds.c.amount).label("amount"))
        .join(refunds, refunds.c.order_no == orders.c.order_no)
        .where(*made, orders.c.status.in_(ACTIVE_STATES), *that_paid_back())
        .group_by(orders.c.flow)
    ):
        flows[row.flow]["gmv"] -= int(row.amount)
    whole = {name: sum(sums[name] for sums in flows.values()) for name in DayFigures.model_fields}
    parts = {flow: DayFigures(**sums) for flow, sums in flows.items()}
    return Day(day=str(day), refunded=refunded, states=dict(states), flows=parts, **whole)


def _refunded(connection: Connection, spans: list[tuple[date, int, int]]) -> dict[date, int]:
    """Money that went back, by the day on which it was back."""
    found: dict[date, int] = dict.fromkeys((day for day, _, _ in spans), 0)
    first, last = spans[0][1], spans[-1][2]
    rows: Any = connection.execute(
        select(refunds.c.settled_at_ms, refunds.c.amount)
        .where(refunds.c.settled_at_ms >= first, refunds.c.settled_at_ms < last, *that_paid_back())
        .order_by(refunds.c.settled_at_ms)
    )
    days = iter(spans)
    day, _, ends = next(days)
    for at_ms, amount in rows:
        while at_ms >= ends:
            day, _, ends = next(days)
        found[day] += amount
    return found

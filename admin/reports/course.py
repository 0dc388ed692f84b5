"""How a campaign sold from its first order to its last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from admin.campaigns.stored import load
from admin.orders.tables import order_lines
from admin.reports.models import Course, CourseOrder, CoursePoint
from admin.resources import Resources
from gateway.orders.database import reading
from gateway.orders.tables import ACTIVE_STATES, SECKILL, orders

QUARTER_MS = 900_000
"""Every time zone is off by whole quarters of an hour, so their sums make local hours and days."""
HOURS_MAX = 72
DAYS_MAX = 366

_LINES = order_lines.join(orders, orders.c.order_no == order_lines.c.order_no)


def make(resources: Resources, code: str) -> Course:
    """The course of a campaign.

    Raises:
        NotFound: there is no such campaign.
    """
    with reading(resources.engine) as connection:
        seckill = load(connection, code).row.type == SECKILL
        quarters = connection.execute(_quarters(code, seckill)).all()
        first, last = (_order(resources, connection, code, seckill, newest=newest) for newest in (False, True))
    hours = not quarters or (quarters[-1].quarter - quarters[0].quarter) * QUARTER_MS <= HOURS_MAX * 3_600_000
    points: dict[float, list[int]] = {}
    for row in quarters:
        begins = _begin(datetime.fromtimestamp(row.quarter * QUARTER_MS / 1000, resources.zone), hours)
        sums = points.setdefault(begins.timestamp(), [0, 0, 0])
        for place, value in enumerate((row.orders, row.units, row.money)):
            sums[place] += int(value)
    return Course(
        code=code,
        currency=resources.currency,
        by="hour" if hours else "day",
        points=_without_gaps(resources, points, hours),
        first=first,
        last=last,
    )


def _quarters(code: str, seckill: bool) -> Any:
    table = orders if seckill else order_lines
    source: Any = orders if seckill else _LINES
    units = orders.c.quantity if seckill else case((order_lines.c.kind == "goods", order_lines.c.quantity), else_=0)
    money = orders.c.total if seckill else order_lines.c.payable
    quarter = orders.c.created_at_ms // QUARTER_MS
    return (
        select(
            quarter.label("quarter"),
            func.count(orders.c.order_no.distinct()).label("orders"),
            func.sum(units).label("units"),
            func.sum(case((orders.c.status.in_(ACTIVE_STATES), money), else_=0)).label("money"),
        )
        .select_from(source)
        .where(table.c.campaign == code)
        .group_by(quarter)
        .order_by(quarter)
    )


def _order(
    resources: Resources, connection: Connection, code: str, seckill: bool, *, newest: bool
) -> CourseOrder | None:
    lines = select(order_lines.c.order_no).where(order_lines.c.campaign == code)
    these: ColumnElement[bool] = orders.c.campaign == code if seckill else orders.c.order_no.in_(lines)
    at, number = orders.c.created_at_ms, orders.c.order_no
    order = (at.desc(), number.desc()) if newest else (at, number)
    row = connection.execute(select(number, orders.c.shopper, at).where(these).order_by(*order).limit(1)).first()
    if row is None:
        return None
    return CourseOrder(order_no=row.order_no, shopper=row.shopper, at=resources.iso(row.created_at_ms))


def _begin(moment: datetime, hours: bool) -> datetime:
    return moment.replace(minute=0) if hours else moment.replace(hour=0, minute=0, fold=0)


def _without_gaps(resources: Resources, points: dict[float, list[int]], hours: bool) -> list[CoursePoint]:
    if not points:
        return []
    begins = [datetime.fromtimestamp(min(points), resources.zone)]
    while begins[-1].timestamp() < max(points):
        # Hours are steps of real time, days of the calendar: some have 23 or 25 hours.
        following = datetime.fromtimestamp(begins[-1].timestamp() + 3600, resources.zone)
        begins.append(following if hours else begins[-1] + timedelta(days=1))
    return [
        CoursePoint(begins=each.isoformat(), orders=counted[0], units=counted[1], money=counted[2])
        for each in begins[-DAYS_MAX:]
        for counted in [points.get(each.timestamp(), [0, 0, 0])]
    ]

"""How a campaign sold from its first order to its last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, case, func, select

from admin.campaigns.stored import load
from admin.orders.tables import order_lines
from admin.reports.models import Course, CourseOrder, CoursePoint
from admin.resources import Resources
from gateway.orders.database import reading
from gateway.orders.tables import ACTIVE_STATES, SECKILL, orders

QUARTER_MS = 900_000
"""Every time zone is off by whole quarters of an hour, so their sums make local hours and days."""
MINUTE_MS = 60_000
MINUTES_MAX = 90
HOURS_MAX = 72
DAYS_MAX = 366

By = Literal["minute", "hour", "day"]
_LINES = order_lines.join(orders, orders.c.order_no == order_lines.c.order_no)


def make(resources: Resources, code: str) -> Course:
    """The course of a campaign.

    Raises:
        NotFound: there is no such campaign.
    """
    with reading(resources.engine) as connection:
        seckill = load(connection, code).row.type == SECKILL
        first, last = (_order(connection, code, seckill, newest=newest) for newest in (False, True))
        lasted_ms = 0 if first is None or last is None else last.created_at_ms - first.created_at_ms
        by = _unit(lasted_ms)
        unit_ms = MINUTE_MS if by == "minute" else QUARTER_MS
        rows = connection.execute(_sums(code, seckill, unit_ms)).all()
    points: dict[float, list[int]] = {}
    for row in rows:
        begins = _begin(datetime.fromtimestamp(row.unit * unit_ms / 1000, resources.zone), by)
        sums = points.setdefault(begins.timestamp(), [0, 0, 0])
        for place, value in enumerate((row.orders, row.units, row.money)):
            sums[place] += int(value)
    return Course(
        code=code,
        currency=resources.currency,
        by=by,
        points=_without_gaps(resources, points, by),
        first=_shown(resources, first),
        last=_shown(resources, last),
    )


def _unit(lasted_ms: int) -> By:
    if lasted_ms <= MINUTES_MAX * MINUTE_MS:
        return "minute"
    return "hour" if lasted_ms <= HOURS_MAX * 60 * MINUTE_MS else "day"


def _sums(code: str, seckill: bool, unit_ms: int) -> Any:
    table = orders if seckill else order_lines
    source: Any = orders if seckill else _LINES
    units = orders.c.quantity if seckill else case((order_lines.c.kind == "goods", order_lines.c.quantity), else_=0)
    money = orders.c.total if seckill else order_lines.c.payable
    unit = orders.c.created_at_ms // unit_ms
    return (
        select(
            unit.label("unit"),
            func.count(orders.c.order_no.distinct()).label("orders"),
            func.sum(units).label("units"),
            func.sum(case((orders.c.status.in_(ACTIVE_STATES), money), else_=0)).label("money"),
        )
        .select_from(source)
        .where(table.c.campaign == code)
        .group_by(unit)
        .order_by(unit)
    )


def _order(connection: Connection, code: str, seckill: bool, *, newest: bool) -> Any:
    lines = select(order_lines.c.order_no).where(order_lines.c.campaign == code)
    these: ColumnElement[bool] = orders.c.campaign == code if seckill else orders.c.order_no.in_(lines)
    at, number = orders.c.created_at_ms, orders.c.order_no
    order = (at.desc(), number.desc()) if newest else (at, number)
    return connection.execute(select(number, orders.c.shopper, at).where(these).order_by(*order).limit(1)).first()


def _shown(resources: Resources, row: Any) -> CourseOrder | None:
    if row is None:
        return None
    return CourseOrder(order_no=row.order_no, shopper=row.shopper, at=resources.iso(row.created_at_ms))


def _begin(moment: datetime, by: By) -> datetime:
    if by == "minute":
        return moment
    return moment.replace(minute=0) if by == "hour" else moment.replace(hour=0, minute=0, fold=0)


def _without_gaps(resources: Resources, points: dict[float, list[int]], by: By) -> list[CoursePoint]:
    if not points:
        return []
    begins = [datetime.fromtimestamp(min(points), resources.zone)]
    step_s = 60 if by == "minute" else 3600
    while begins[-1].timestamp() < max(points):
        # Minutes and hours are steps of real time, days of the calendar: some have 23 or 25 hours.
        following = datetime.fromtimestamp(begins[-1].timestamp() + step_s, resources.zone)
        begins.append(begins[-1] + timedelta(days=1) if by == "day" else following)
    return [
        CoursePoint(begins=each.isoformat(), orders=counted[0], units=counted[1], money=counted[2])
        for each in begins[-DAYS_MAX:]
        for counted in [points.get(each.timestamp(), [0, 0, 0])]
    ]

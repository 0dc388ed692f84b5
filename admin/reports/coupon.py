"""What came of a coupon."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from admin.coupons.tables import coupon_claims, coupon_codes, coupons
from admin.errors import NotFound
from admin.payments.tables import refunds
from admin.reports import newcomers
from admin.reports.lines import PAID, UNPAID
from admin.reports.models import CouponReport
from admin.reports.returned import that_paid_back
from admin.reservations.tables import reservations, tallies
from admin.resources import Resources
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import ACTIVE_STATES, orders


def make(resources: Resources, code: str) -> CouponReport:
    """The report of a coupon.

    Raises:
        NotFound: there is no such coupon.
    """
    with reading(resources.engine) as connection:
        row = connection.execute(select(coupons).where(coupons.c.code == code)).one_or_none()
        if row is None:
            raise NotFound(f"there is no coupon {code}")
        these = _its_orders(code)
        uses = connection.execute(
            select(tallies.c.reserved, tallies.c.committed).where(
                tallies.c.kind == "coupon", tallies.c.subject == code, tallies.c.owner == ""
            )
        ).one_or_none()
        reserved, committed = (0, 0) if uses is None else uses
        limit = row.terms.get("total")
        back, back_of_active = _refunded(connection, code)
        sums = _sums(connection, code)
        sums["gmv"] -= back_of_active
        first, last = connection.execute(
            select(func.min(orders.c.created_at_ms), func.max(orders.c.created_at_ms)).where(these)
        ).one()
        return CouponReport(
            code=code,
            name=row.terms.get("name"),
            currency=resources.currency,
            generated_at=resources.iso(now_ms(connection)),
            claims=_count(connection, coupon_claims.c.coupon == code),
            codes=_count(connection, coupon_codes.c.coupon == code),
            codes_used=_codes_used(connection, code),
            uses_reserved=reserved,
            uses=committed,
            uses_left=max(limit - reserved - committed, 0) if isinstance(limit, int) else None,
            refunded=back,
            new_customers=newcomers.count(connection, these),
            first_use_at=resources.iso_or_none(first),
            last_use_at=resources.iso_or_none(last),
            **{name: sums[name] for name in ("orders", "orders_paid", "orders_unpaid", "discount", "gmv")},
        )


def _its_orders(code: str) -> ColumnElement[bool]:
    """Orders that used it, whichever of its codes was typed."""
    of_coupon = reservations.c.kind == "coupon", reservations.c.subject == code
    return orders.c.order_no.in_(select(reservations.c.order_no).where(*of_coupon))


def _sums(connection: Connection, code: str) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in connection.execute(
        select(
            orders.c.status,
            func.count().label("number"),
            func.sum(orders.c.coupon_discount).label("discount"),
            func.sum(orders.c.total).label("total"),
        )
        .where(_its_orders(code))
        .group_by(orders.c.status)
    ):
        sums["orders"] += row.number
        sums["orders_paid"] += row.number if row.status in PAID else 0
        sums["orders_unpaid"] += row.number if row.status in UNPAID else 0
        if row.status in ACTIVE_STATES:
            sums["discount"] += int(row.discount)
            sums["gmv"] += int(row.total)
    return sums


def _refunded(connection: Connection, code: str) -> tuple[int, int]:
    """What went back for its orders, and how much of it for orders that still count."""
    rows = connection.execute(
        select(orders.c.status, func.sum(refunds.c.amount).label("amount"))
        .join(orders, orders.c.order_no == refunds.c.order_no)
        .where(_its_orders(code), *that_paid_back())
        .group_by(orders.c.status)
    ).all()
    back = sum(int(row.amount) for row in rows)
    return back, sum(int(row.amount) for row in rows if row.status in ACTIVE_STATES)


def _count(connection: Connection, these: Any) -> int:
    return connection.execute(select(func.count()).where(these)).scalar_one()


def _codes_used(connection: Connection, code: str) -> int:
    statement = (
        select(func.count())
        .select_from(coupon_codes)
        .join(tallies, tallies.c.subject == coupon_codes.c.code)
        .where(coupon_codes.c.coupon == code, tallies.c.kind == "coupon_code", tallies.c.owner == "")
        .where(tallies.c.reserved + tallies.c.committed > 0)
    )
    return connection.execute(statement).scalar_one()

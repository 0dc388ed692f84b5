"""Figures of a campaign whose orders have lines: every type but the seckill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from admin.orders.tables import order_lines
from admin.reports import newcomers, returned
from admin.reports.models import Figures
from admin.reports.returned import Found, Returned
from admin.resources import Resources
from gateway.orders.tables import ACTIVE_STATES, orders

PAID = frozenset({"awaiting_group", "paid", "shipped", "completed", "refunding", "refunded"})
"""Orders in these states were paid, whatever became of them later."""
UNPAID = frozenset({"cancelled", "expired"})

_LINES = order_lines.join(orders, orders.c.order_no == order_lines.c.order_no)
_COUNT = order_lines.c.quantity
_BELOW_BASE = (order_lines.c.base_price - order_lines.c.unit_price) * _COUNT


@dataclass(slots=True)
class _Sums:
    """What the lines of a product, or of all, come to, before refunds."""

    orders: int = 0
    paid: int = 0
    unpaid: int = 0
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    money: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    first_ms: int | None = None
    last_ms: int | None = None

    def count_orders(self, status: str, count: int) -> None:
        """Count orders in a state in."""
        self.orders += count
        self.paid += count if status in PAID else 0
        self.unpaid += count if status in UNPAID else 0

    def add(self, row: Any) -> None:
        """Count lines in that are in orders of one state."""
        for name in ("units", "add_ons_sold", "gifts_given"):
            self.counts[name] += int(getattr(row, name))
        if row.status in ACTIVE_STATES:
            for name in ("gmv", "discounts", "coupons", "add_ons", "gifts"):
                self.money[name] += int(getattr(row, name))
        self.first_ms = min(each for each in (self.first_ms, row.first_ms) if each is not None)
        self.last_ms = max(each for each in (self.last_ms, row.last_ms) if each is not None)


def figures(
    resources: Resources, connection: Connection, code: str, listed: Sequence[str]
) -> tuple[Figures, list[Figures], Found]:
    """The total, a line for each product (listed ones first, in their order), and what was paid back."""
    total = _Sums()
    by_sku: dict[str, _Sums] = defaultdict(_Sums)
    for row in connection.execute(_sold(code)):
        by_sku[row.sku].count_orders(row.status, row.orders)
        by_sku[row.sku].add(row)
        total.add(row)
    for row in connection.execute(_orders(code)):
        total.count_orders(row.status, row.orders)
    back = returned.of_campaign(connection, code)
    # Those who are given something, or take it as an add-on, buy something else.
    bought = order_lines.c.campaign == code, order_lines.c.kind == "goods"
    new = newcomers.by(connection, _in_campaign(code), order_lines.c.sku, _LINES, *bought)
    skus = [*listed, *sorted(by_sku.keys() - set(listed))]
    items = [
        _figures(resources, sku, by_sku[sku], back.by_sku.get(sku, Returned()), new.get(sku, 0)) for sku in skus
    ]
    return _figures(resources, None, total, _together(back.by_sku.values()), new[None]), items, back


def _sold(code: str) -> Any:
    def summed(value: Any, kind: str | None = None) -> Any:
        return func.sum(value if kind is None else case((order_lines.c.kind == kind, value), else_=0))

    return (
        select(
            order_lines.c.sku,
            orders.c.status,
            func.count(order_lines.c.order_no.distinct()).label("orders"),
            summed(_COUNT, "goods").label("units"),
            summed(_COUNT, "add_on").label("add_ons_sold"),
            summed(_COUNT, "gift").label("gifts_given"),
            summed(order_lines.c.payable).label("gmv"),
            summed(order_lines.c.discount, "goods").label("discounts"),
            summed(order_lines.c.coupon_discount).label("coupons"),
            summed(_BELOW_BASE, "add_on").label("add_ons"),
            summed(_BELOW_BASE, "gift").label("gifts"),
            func.min(orders.c.created_at_ms).label("first_ms"),
            func.max(orders.c.created_at_ms).label("last_ms"),
        )
        .select_from(_LINES)
        .where(order_lines.c.campaign == code)
        .group_by(order_lines.c.sku, orders.c.status)
    )


def _in_campaign(code: str) -> ColumnElement[bool]:
    return orders.c.order_no.in_(select(order_lines.c.order_no).where(order_lines.c.campaign == code))


def _orders(code: str) -> Any:
    return select(orders.c.status, func.count().label("orders")).where(_in_campaign(code)).group_by(orders.c.status)


def _together(parts: Iterable[Returned]) -> Returned:
    whole = Returned()
    for part in parts:
        whole.add(part)
    return whole


def _figures(resources: Resources, sku: str | None, sums: _Sums, back: Returned, new_customers: int) -> Figures:
    given = {name: sums.money[name] - getattr(back, name) for name in ("discounts", "add_ons", "gifts")}
    return Figures(
        sku=sku,
        orders=sums.orders,
        orders_paid=sums.paid,
        orders_unpaid=sums.unpaid,
        units=sums.counts["units"],
        add_ons_sold=sums.counts["add_ons_sold"],
        gifts_given=sums.counts["gifts_given"],
        gmv=sums.money["gmv"] - back.gmv,
        refunded=back.amount,
        given_away=sum(given.values()),
        **given,
        coupons=sums.money["coupons"] - back.coupons,
        new_customers=new_customers,
        first_sale_at=resources.iso_or_none(sums.first_ms),
        last_sale_at=resources.iso_or_none(sums.last_ms),
    )

"""What was paid back for units of orders that have lines, told apart by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, select

from admin.orders.tables import order_lines
from admin.payments.tables import SENT_BACK, refunds
from admin.promotions import money
from gateway.orders.tables import ACTIVE_STATES, orders


@dataclass(slots=True)
class Returned:
    """What went back for some lines; and of orders that still count, by how much less these lines come to."""

    amount: int = 0
    gmv: int = 0
    discounts: int = 0
    coupons: int = 0
    add_ons: int = 0
    gifts: int = 0

    def add(self, other: Returned) -> None:
        """Count another in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Found(NamedTuple):
    """By product; and how many refunds there were."""

    by_sku: Mapping[str, Returned]
    refunds: int


def that_paid_back() -> tuple[ColumnElement[bool], ...]:
    """The conditions that a refund was sent and gave money back that had paid for something."""
    return refunds.c.state == "settled", refunds.c.reason.not_in(SENT_BACK)


def of_campaign(connection: Connection, code: str) -> Found:
    """What went back for the lines of a campaign."""
    rows = connection.execute(
        select(
            refunds.c.id,
            refunds.c.units,
            refunds.c.amount,
            refunds.c.gifts_kept,
            refunds.c.held_back,
            orders.c.status,
            orders.c.flow,
            *(column for column in order_lines.c if column.name != "membership"),
        )
        .join(orders, orders.c.order_no == refunds.c.order_no)
        .join(order_lines, order_lines.c.order_no == refunds.c.order_no)
        .where(order_lines.c.campaign == code, *that_paid_back())
    )
    by_sku: dict[str, Returned] = defaultdict(Returned)
    counted = set()
    for row in rows:
        back = _of_line(row)
        if back is not None:
            by_sku[row.sku].add(back)
            counted.add(row.id)
    return Found(by_sku, len(counted))


def _of_line(row: Row[Any]) -> Returned | None:
    """What one refund gave back for one line; None when the line has no part in it."""
    places = [unit - row.first_unit for unit in row.units if 0 <= unit - row.first_unit < row.quantity]
    kept = _held_back(row)
    if not places and not kept:
        return None
    cost = sum(row.unit_payables[place] for place in places)
    whole = row.flow != "cart"
    back = Returned(amount=row.amount if whole else cost - kept)
    if row.status not in ACTIVE_STATES:
        return back
    back.gmv = cost - kept
    if row.kind == "add_on":
        back.add_ons = (row.base_price - row.unit_price) * len(places)
    elif row.kind == "gift":
        # One that was paid for in the end is no gift.
        back.gifts = row.base_price * len(places) + kept
    else:
        taken_off = row.unit_price * len(places) - cost
        # A coupon takes from each unit in proportion to what the unit costs.
        back.coupons = row.coupon_discount * cost // row.payable if row.payable else row.coupon_discount
        back.discounts = taken_off - back.coupons
    return back


def _held_back(row: Row[Any]) -> int:
    """What a refund held back for gifts of a line that were kept."""
    kept = row.gifts_kept or []
    shares: Iterator[int] = iter(money.share(row.held_back, [each["value"] for each in kept]) if kept else [])
    return sum(part for each, part in zip(kept, shares, strict=True) if each["line"] == row.line)

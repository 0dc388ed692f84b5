"""What was paid back for units of orders that have lines, told apart by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, select

from admin.orders.tables import order_lines
from admin.payments.amounts import discount_of
from admin.payments.tables import SENT_BACK, refunds
from admin.promotions import money
from gateway.orders.tables import ACTIVE_STATES, orders

_LINE = [column for column in order_lines.c if column.name != "membership"]


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
            orders.c.campaign.label("only"),
            *_LINE,
        )
        .join(orders, orders.c.order_no == refunds.c.order_no)
        .join(order_lines, order_lines.c.order_no == refunds.c.order_no)
        .where(order_lines.c.campaign == code, *that_paid_back())
        .order_by(order_lines.c.order_no, order_lines.c.line, refunds.c.requested_at_ms, refunds.c.id)
    )
    by_sku: dict[str, Returned] = defaultdict(Returned)
    counted: set[str] = set()
    for _, of_line in groupby(rows, key=lambda row: (row.order_no, row.line)):
        parts = list(of_line)
        by_sku[parts[0].sku].add(_of_line(parts))
        counted.update(row.id for row in parts if _places(row) or row.only is not None)
    return Found(by_sku, len(counted))


def _of_line(parts: Sequence[Row[Any]]) -> Returned:
    """What all refunds of an order gave back for one of its lines; each row is a refund beside the line."""
    row = parts[0]
    places = [place for each in parts for place in _places(each)]
    count = len(places)
    cost, kept = sum(row.unit_payables[place] for place in places), _held_back(parts)
    # An order in one campaign has one line; of what was paid for it that may be a deposit.
    back = Returned(amount=cost - kept if row.only is None else sum(each.amount for each in parts))
    if row.status not in ACTIVE_STATES:
        return back
    back.gmv = cost - kept
    if row.kind == "add_on":
        back.add_ons = (row.base_price - row.unit_price) * count
    elif row.kind == "gift":
        # One that was paid for in the end is no gift.
        back.gifts = row.base_price * count + kept
    else:
        # As the budget is given back.
        back.discounts = discount_of(row.discount, row.unit_price, row.unit_payables, places)
        back.coupons = row.unit_price * count - cost - back.discounts
    return back


def _places(row: Row[Any]) -> list[int]:
    """Which of the line's units a refund names, the first one as 0."""
    return [unit - row.first_unit for unit in row.units if 0 <= unit - row.first_unit < row.quantity]


def _held_back(parts: Sequence[Row[Any]]) -> int:
    """What was held back in all for gifts of a line that were kept: the last refund says which these are."""
    kept = parts[-1].gifts_kept or []
    if not kept:
        return 0
    shares = money.share(sum(each.held_back for each in parts), [each["value"] for each in kept])
    return sum(share for each, share in zip(kept, shares, strict=True) if each["line"] == parts[0].line)

"""Writing a new order with its lines and everything that it holds: all of it, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, insert

from admin.orders.tables import order_lines
from admin.reservations import ledger
from admin.reservations.ledger import Claim
from gateway.orders import bulk
from gateway.orders.tables import events, orders

ORDER_NO_BYTES = 10
"""As many as the gateway's, which nobody can guess or count."""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of an order. Prices are of a unit, `discount` and `coupon_discount` of the whole line."""

    kind: Literal["goods", "add_on", "gift"]
    sku: str
    name: str
    quantity: int
    base_price: int
    unit_price: int
    unit_payables: Sequence[int]
    campaign: str | None = None
    discount: int = 0
    coupon_discount: int = 0
    membership: dict[str, int] | None = None

    @property
    def payable(self) -> int:
        """What the line costs in the end."""
        return sum(self.unit_payables)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to write. `key` is the digest of its Idempotency-Key, or nothing; `request` that of what was sent.

    `pay_within_ms` counts from now, and ends at `pay_until_ms` (epoch ms) at the latest; `claims` are everything
    it takes of what can run out.
    """

    flow: str
    shopper: str
    currency: str
    lines: Sequence[NewLine]
    claims: Sequence[Claim]
    pay_within_ms: int
    pay_until_ms: int | None = None
    campaign: str | None = None
    group_id: str | None = None
    coupon: str | None = None
    channel: str | None = None
    address: dict[str, str] | None = None
    note: str | None = None
    key: str = ""
    request: str | None = None
    order_no: str = field(default_factory=lambda: secrets.token_hex(ORDER_NO_BYTES))

    @property
    def total(self) -> int:
        """What is paid in the end."""
        return sum(line.payable for line in self.lines)


def place(connection: Connection, order: NewOrder, now_ms: int) -> str:
    """Write an order, pending; its number. Gifts must come last among the lines.

    Raises:
        Short: too little is left of something; the caller rolls back.
        sqlalchemy.exc.IntegrityError: the shopper has used the key before.
    """
    ledger.reserve(connection, order.order_no, order.claims)
    write(connection, [order], now_ms)
    return order.order_no


def write(connection: Connection, placed: Sequence[NewOrder], now_ms: int) -> None:
    """Write orders for which everything is reserved.

    Raises:
        sqlalchemy.exc.IntegrityError: a shopper has used a key before.
    """
    connection.execute(insert(orders), [_row(order, now_ms) for order in placed])
    bulk.insert(connection, order_lines, [row for order in placed for row in _line_rows(order)], skip=False)
    told = [
        ("order.created", order.order_no, now_ms, {"before": None, "after": "pending", "flow": order.flow})
        for order in placed
    ]
    bulk.insert(connection, events, told, skip=False)


def _row(order: NewOrder, now_ms: int) -> dict[str, Any]:
    pay_by_ms = now_ms + order.pay_within_ms
    paid_for = [line for line in order.lines if line.kind != "gift"]
    goods = [line for line in order.lines if line.kind == "goods"]
    only = goods[0] if order.campaign is not None else None
    return {
        "order_no": order.order_no,
        "flow": order.flow,
        "campaign": order.campaign,
        "sku": None if only is None else only.sku,
        "shopper": order.shopper,
        "quantity": sum(line.quantity for line in paid_for),
        "total": order.total,
        "currency": order.currency,
        "status": "pending",
        "created_at_ms": now_ms,
        "expire_at_ms": pay_by_ms if order.pay_until_ms is None else min(pay_by_ms, order.pay_until_ms),
        "key": order.key,
        "request": order.request,
        "subtotal": sum(line.unit_price * line.quantity for line in goods),
        "discount": sum(line.discount for line in goods),
        "coupon": order.coupon,
        "coupon_discount": sum(line.coupon_discount for line in order.lines),
        "channel": order.channel,
        "note": order.note,
        "group_id": order.group_id,
        "address": order.address,
    }


def _line_rows(order: NewOrder) -> list[tuple[Any, ...]]:
    """In the order of the table's columns."""
    rows = []
    unit = 1
    for number, line in enumerate(order.lines, 1):
        rows.append(
            (
                order.order_no,
                number,
                line.kind,
                line.sku,
                line.name,
                line.quantity,
                line.base_price,
                line.unit_price,
                line.campaign,
                line.discount,
                line.coupon_discount,
                line.payable,
                unit,
                list(line.unit_payables),
                line.membership,
            )
        )
        unit += line.quantity
    return rows

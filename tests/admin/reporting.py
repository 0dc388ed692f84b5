"""Helpers of the tests about what the ledger adds up to: orders with lines, payments and refunds, made directly."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sidecar import Shop
from sqlalchemy import insert, update

from admin.orders import placing
from admin.orders.placing import NewLine, NewOrder
from admin.payments.tables import payments, refund_transfers, refunds
from admin.reservations import ledger
from admin.reservations.ledger import Claim
from gateway.orders.database import writing
from gateway.orders.tables import orders

_numbers = itertools.count(1)


def goods(sku: str, costs: Sequence[int], *, base: int, coupon: int = 0, **about: Any) -> NewLine:
    """Goods whose units cost so much; what they cost less is the campaign's discount, but for the coupon's part."""
    off = base * len(costs) - sum(costs)
    prices = {"base_price": base, "unit_price": base, "discount": off - coupon, "coupon_discount": coupon}
    return NewLine("goods", sku, sku, len(costs), unit_payables=costs, **prices, **about)


def add_on(sku: str, quantity: int, *, base: int, price: int, **about: Any) -> NewLine:
    return NewLine("add_on", sku, sku, quantity, base, price, [price] * quantity, **about)


def gift(sku: str, quantity: int, *, base: int, **about: Any) -> NewLine:
    return NewLine("gift", sku, sku, quantity, base, 0, [0] * quantity, **about)


def ordered(
    shop: Shop,
    lines: Sequence[NewLine],
    status: str = "pending",
    *,
    claims: Sequence[Claim] = (),
    at_ms: int | None = None,
    **about: Any,
) -> str:
    """An order in a state, with what it reserved, committed or released, and its payment where it has one."""
    given = {"flow": "cart", "shopper": shop.unique("shopper"), "currency": "CNY", **about}
    stock = Counter[str]()
    for line in lines:
        stock[line.sku] += line.quantity
    takes = [*claims, *(Claim("stock", sku, units) for sku, units in stock.items())]
    now_ms = shop.now_ms()
    at_ms = now_ms if at_ms is None else at_ms
    # An order of the past may be paid for a while from now on, else the clock could end it at any moment.
    pay_within_ms = 900_000 + max(0, now_ms - at_ms)
    order = NewOrder(lines=lines, claims=takes, pay_within_ms=pay_within_ms, **given)
    with writing(shop.resources.engine) as connection:
        placing.place(connection, order, at_ms)
        values: dict[str, Any] = {"status": status}
        if status in {"cancelled", "expired"}:
            ledger.release(connection, order.order_no)
        elif status in {"deposit_paid", "balance_due", "awaiting_group"}:
            ledger.commit(connection, order.order_no, stock=False)
        elif status != "pending":
            ledger.commit(connection, order.order_no)
        if status not in {"pending", "cancelled", "expired", "deposit_paid", "balance_due"}:
            values["paid_at_ms"] = at_ms
        if status == "refunded":
            ledger.release(connection, order.order_no)
        connection.execute(update(orders).where(orders.c.order_no == order.order_no).values(**values))
        mine = orders.c.order_no == order.order_no
        connection.execute(update(orders).where(mine).values(created_at_ms=at_ms))
    if given["flow"] != "presale" and "paid_at_ms" in values and order.total:
        pay(shop, order.order_no, order.total)
    return order.order_no


def pay(shop: Shop, order_no: str, amount: int, purpose: str = "full") -> str:
    """Money that came in; the payment's id."""
    payment = f"pay{next(_numbers)}"
    with writing(shop.resources.engine) as connection:
        connection.execute(
            insert(payments).values(
                id=payment,
                order_no=order_no,
                provider="sandbox",
                amount=amount,
                currency="CNY",
                purpose=purpose,
                state="settled",
                plan={},
                created_at_ms=1,
                settled_at_ms=1,
            )
        )
    return payment


def pay_back(shop: Shop, order_no: str, payment: str, amount: int, units: Sequence[int], **about: Any) -> str:
    """Money that went back; the refund's id."""
    refund = f"ref{next(_numbers)}"
    values = {
        "state": "settled",
        "reason": "asked",
        "restock": False,
        "requested_by": "tester",
        "requested_at_ms": 1,
        "settled_at_ms": 1,
        **about,
    }
    with writing(shop.resources.engine) as connection:
        connection.execute(
            insert(refunds).values(
                id=refund, order_no=order_no, payment=payment, units=list(units), amount=amount, **values
            )
        )
        if amount and values["state"] == "settled":
            connection.execute(
                insert(refund_transfers).values(
                    id=f"t{refund}", refund=refund, payment=payment, amount=amount, state="settled"
                )
            )
    return refund

"""What was agreed at the deposit, and what follows from it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from admin.presales.tables import presale_orders
from gateway.orders.tables import orders

WITH_TERMS: Select[Any] = select(
    orders.c.order_no,
    orders.c.shopper,
    orders.c.campaign,
    orders.c.sku,
    orders.c.status,
    orders.c.total,
    orders.c.currency,
    presale_orders.c.deposit,
    presale_orders.c.balance_starts_at_ms,
    presale_orders.c.balance_ends_at_ms,
    presale_orders.c.on_unpaid,
    presale_orders.c.next_at_ms,
).join(presale_orders, presale_orders.c.order_no == orders.c.order_no)
"""Orders as the clock sees them."""
REMIND_BEFORE_MS = 24 * 3_600_000
"""So long before its end an open balance is called to mind; in a window of less than two days, half way."""


def terms_of(connection: Connection, order_no: str) -> Row[Any]:
    """The terms of a pre-sale order, as they were at the deposit."""
    return connection.execute(select(presale_orders).where(presale_orders.c.order_no == order_no)).one()


def remind_at_ms(terms: Row[Any]) -> int:
    """When the shopper is told for the second time that the balance is open (epoch ms)."""
    window_ms = terms.balance_ends_at_ms - terms.balance_starts_at_ms
    return int(terms.balance_ends_at_ms - min(REMIND_BEFORE_MS, window_ms // 2))


def wake(connection: Connection, order_no: str, at_ms: int | None) -> None:
    """Have the clock look at an order at an instant (epoch ms), or with None never again."""
    connection.execute(update(presale_orders).where(presale_orders.c.order_no == order_no).values(next_at_ms=at_ms))


def withdrawn_at_once(terms: Row[Any]) -> bool:
    """Whether a shopper who has paid the deposit gets it back without asking anybody.

    So it is where whoever never pays the balance gets it back, unless the deposit has confirmed the order.
    """
    return bool(terms.on_unpaid == "refund" and terms.mode != "confirm")

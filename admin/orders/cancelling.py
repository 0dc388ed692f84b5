"""Giving an unpaid order up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from admin.orders.ownership import wrong_state
from gateway.orders import releases, states
from gateway.orders.database import now_ms
from gateway.orders.tables import order_units


def cancel(connection: Connection, order: Row[Any], *, actor: str) -> None:
    """Cancel an order that this transaction has locked; its units go back on sale.

    Raises:
        Conflict: it is not pending.
    """
    now = now_ms(connection)
    if not states.move(connection, order.order_no, "pending", "cancelled", actor=actor, at_ms=now):
        raise wrong_state(order, "only a pending order can be cancelled")
    units = connection.execute(
        select(order_units.c.unit)
        .where(order_units.c.order_no == order.order_no, order_units.c.active)
        .order_by(order_units.c.unit)
    ).scalars()
    releases.request(connection, order.order_no, order.offer, order.shopper, list(units), at_ms=now)

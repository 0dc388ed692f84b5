"""Giving an unpaid order up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from admin.flows.registry import flow_of
from admin.orders.ownership import wrong_state
from gateway.orders import states
from gateway.orders.database import now_ms


def cancel(connection: Connection, order: Row[Any], *, actor: str) -> None:
    """Cancel an order that this transaction has locked; what it held is free again.

    Raises:
        Conflict: it is not pending.
    """
    now = now_ms(connection)
    if not states.move(connection, order.order_no, "pending", "cancelled", actor=actor, at_ms=now):
        raise wrong_state(order, "only a pending order can be cancelled")
    flow_of(order).let_go(connection, order, now)

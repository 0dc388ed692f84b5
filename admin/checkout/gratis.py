"""Orders that cost nothing are paid as soon as they are written."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from admin.flows.interface import Arrived
from admin.flows.registry import flow_of
from admin.orders import views
from admin.orders.placing import NewOrder
from admin.resources import Resources


def take(resources: Resources, connection: Connection, orders: Iterable[NewOrder], now_ms: int) -> None:
    """Let those of some new orders that cost nothing be paid, without a payment."""
    for order in orders:
        if order.total == 0:
            row = views.find(connection, order.order_no, lock=True)
            flow_of(row).take(resources, connection, row, Arrived("full", None, now_ms))

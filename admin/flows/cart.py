"""Orders of a cart: everything they hold is in the ledger of reservations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from admin.flows.interface import Arrived, Due, Flow, first_due
from admin.memberships import granting
from admin.reservations import ledger
from admin.resources import Resources
from gateway.orders import states


def _due(resources: Resources, _connection: Connection, order: Row[Any], now_ms: int) -> Due:
    return first_due(resources, order, now_ms, order.total, "full")


def _take(resources: Resources, connection: Connection, order: Row[Any], money: Arrived) -> bool:
    paid = states.move(
        connection,
        order.order_no,
        "pending",
        "paid",
        actor="payment",
        at_ms=money.at_ms,
        detail={"payment": money.payment},
        paid_at_ms=money.at_ms,
    )
    if paid:
        ledger.commit(connection, order.order_no)
        granting.grant(resources, connection, order, money.at_ms)
    return paid


def _let_go(connection: Connection, order: Row[Any], _at_ms: int) -> None:
    ledger.release(connection, order.order_no)


FLOW = Flow("cart", _due, _take, _let_go)

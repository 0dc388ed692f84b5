"""Orders of a cart: everything they hold is in the ledger of reservations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from admin.flows.interface import Arrived, Flow, due_in_full
from admin.memberships import granting
from admin.reservations import ledger
from admin.resources import Resources


def _take(resources: Resources, connection: Connection, order: Row[Any], money: Arrived) -> bool:
    paid = money.move(connection, order, "pending", "paid")
    if paid:
        ledger.commit(connection, order.order_no)
        granting.grant(resources, connection, order, money.at_ms)
    return paid


def _let_go(connection: Connection, order: Row[Any], _at_ms: int) -> None:
    ledger.release(connection, order.order_no)


FLOW = Flow("cart", due_in_full, _take, _let_go)

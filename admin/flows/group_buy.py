"""Orders of a group buy: paid for, they wait until their group is full."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from admin.errors import Conflict
from admin.flows.interface import Arrived, Due, Flow, due_in_full
from admin.groups import seats
from admin.groups.tables import groups
from admin.reservations import ledger
from admin.resources import Resources


def _due(resources: Resources, connection: Connection, order: Row[Any], now_ms: int) -> Due:
    due = due_in_full(resources, connection, order, now_ms)
    state = connection.execute(select(groups.c.state).where(groups.c.id == order.group_id)).scalar_one()
    if state != "open":
        raise Conflict(
            f"the group is {state}: nothing can be paid for in it", code="group_over", state=order.status
        )
    return due


def _take(resources: Resources, connection: Connection, order: Row[Any], money: Arrived) -> bool:
    took = money.move(connection, order, "pending", "awaiting_group")
    if took:
        # The units go back to the shop if the group stays short.
        ledger.commit(connection, order.order_no, stock=False)
        seats.paid(resources, connection, order.group_id, money.at_ms)
    return took


def _let_go(connection: Connection, order: Row[Any], at_ms: int) -> None:
    ledger.release(connection, order.order_no)
    seats.left(connection, order, at_ms)


FLOW = Flow("group_buy", _due, _take, _let_go, frozenset({"awaiting_group", "paid", "shipped", "completed"}))
"""Whoever leaves or is paid back before the group is full is let go as well: at once, so that others can join."""

"""Orders that the gateway sold: their units come from an offer and go back to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from admin.catalog import service as catalog
from admin.flows.interface import Arrived, Flow, due_in_full
from admin.memberships import granting
from admin.resources import Resources
from gateway.orders import releases
from gateway.orders.tables import SECKILL, order_units


def _take(resources: Resources, connection: Connection, order: Row[Any], money: Arrived) -> bool:
    paid = money.move(connection, order, "pending", "paid")
    if paid:
        catalog.hand_over(connection, order.sku, order.quantity)
        granting.grant(resources, connection, order, money.at_ms)
    return paid


def _let_go(connection: Connection, order: Row[Any], at_ms: int) -> None:
    units = connection.execute(
        select(order_units.c.unit)
        .where(order_units.c.order_no == order.order_no, order_units.c.active)
        .order_by(order_units.c.unit)
    ).scalars()
    releases.request(connection, order.order_no, order.offer, order.shopper, list(units), at_ms=at_ms)


FLOW = Flow(SECKILL, due_in_full, _take, _let_go)

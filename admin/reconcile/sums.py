"""What orders cost against their lines, and these against their units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from admin.orders.tables import order_lines
from admin.reconcile.breaches import ShopBreach
from gateway.orders.tables import SECKILL, orders

ROWS_AT_ONCE = 1000
_ASKS = "compare with the quote that the order was made of, and correct it in the database"


def check(connection: Connection) -> Iterator[ShopBreach]:
    """Orders, then lines."""
    yield from _orders(connection)
    yield from _lines(connection)


def _orders(connection: Connection) -> Iterator[ShopBreach]:
    def summed(value: Any, *kinds: str) -> Any:
        return func.coalesce(func.sum(case((order_lines.c.kind.in_(kinds), value), else_=0)), 0)

    every = ("goods", "add_on", "gift")
    sums = {
        "quantity": summed(order_lines.c.quantity, "goods", "add_on"),
        "subtotal": summed(order_lines.c.unit_price * order_lines.c.quantity, "goods"),
        "discount": summed(order_lines.c.discount, "goods"),
        "coupon_discount": summed(order_lines.c.coupon_discount, *every),
        "total": summed(order_lines.c.payable, *every),
    }
    columns = [orders.c[name] for name in sums]
    rows = connection.execute(
        select(orders.c.order_no, *columns, *(value.label(f"lines_{name}") for name, value in sums.items()))
        .select_from(orders.outerjoin(order_lines, order_lines.c.order_no == orders.c.order_no))
        .where(orders.c.flow != SECKILL)
        .group_by(orders.c.order_no, *columns)
        .having(or_(*(orders.c[name].is_distinct_from(value) for name, value in sums.items())))
        .order_by(orders.c.order_no)
    )
    for row in rows:
        told = row._mapping
        wrong = [name for name in sums if told[name] != told[f"lines_{name}"]]
        says = "; ".join(f"its {name} is {told[name]}, its lines' {told[f'lines_{name}']}" for name in wrong)
        yield ShopBreach("order_sums_differ", says, order_no=row.order_no, asks=_ASKS)


def _lines(connection: Connection) -> Iterator[ShopBreach]:
    line = order_lines.c
    rows = connection.execute(
        select(line.order_no, line.line, line.quantity, line.payable, line.first_unit, line.unit_payables)
        .order_by(line.order_no, line.line)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    order_no, number, unit = "", 0, 0
    for row in rows:
        if row.order_no != order_no:
            order_no, number, unit = row.order_no, 0, 1
        number += 1
        costs = row.unit_payables
        says = ""
        if len(costs) != row.quantity or sum(costs) != row.payable or min(costs, default=0) < 0:
            says = f"it costs {row.payable} for {row.quantity} units, and its units {costs}"
        elif (row.line, row.first_unit) != (number, unit):
            says = f"it begins with unit {row.first_unit}, where line {number} with unit {unit} should be"
        if says:
            yield ShopBreach("line_differs", says, f"line {row.line}", row.order_no, asks=_ASKS)
        unit = row.first_unit + row.quantity

"""A balance that may be paid from now on: the order says so, and the shopper is told, and told again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, update

from admin.notices import telling
from admin.notices.telling import Told
from admin.presales.tables import presale_orders
from admin.presales.terms import remind_at_ms
from admin.resources import Resources
from gateway.orders import states
from gateway.orders.tables import orders

ACTOR = "presale"
"""Who it was, in the orders' histories."""


def open_balances(resources: Resources, connection: Connection, found: Sequence[Row[Any]], now_ms: int) -> None:
    """Open the balances of some orders with their deposits paid, whose time has come and whose rows are locked.

    Args:
        resources: the shop.
        connection: a writing transaction.
        found: the orders with their terms.
        now_ms: database time, epoch ms.
    """
    if not found:
        return
    numbers = [row.order_no for row in found]
    connection.execute(
        update(orders)
        .where(orders.c.order_no.in_(numbers), orders.c.status == "deposit_paid")
        .values(status="balance_due")
    )
    moves = [(number, "deposit_paid", "balance_due") for number in numbers]
    states.tell(connection, moves, actor=ACTOR, at_ms=now_ms)
    # Nobody is called to a window that has passed while nothing was running.
    open_now = [row for row in found if now_ms < row.balance_ends_at_ms]
    telling.notify_all(connection, [told(resources, row, "balance_due", now_ms) for row in open_now])
    _wake(
        connection,
        {
            row.order_no: remind_at_ms(row) if now_ms < remind_at_ms(row) else row.balance_ends_at_ms
            for row in found
        },
    )


def remind(resources: Resources, connection: Connection, found: Sequence[Row[Any]], now_ms: int) -> None:
    """Tell shoppers, once, that the time to pay an open balance is getting short. Arguments as above."""
    telling.notify_all(connection, [told(resources, row, "balance_ends", now_ms) for row in found])
    _wake(connection, {row.order_no: row.balance_ends_at_ms for row in found})


def told(
    resources: Resources, row: Row[Any], kind: Literal["balance_due", "balance_ends", "balance_missed"], now_ms: int
) -> Told:
    """The notice about the balance of an order, given with its terms; one of each kind."""
    data = {
        "order_no": row.order_no,
        "campaign": row.campaign,
        "sku": row.sku,
        "amount": row.total - row.deposit,
        "deposit": row.deposit,
        "currency": row.currency,
        "until": resources.iso(row.balance_ends_at_ms),
    }
    if kind == "balance_missed":
        data["on_unpaid"] = row.on_unpaid
    return row.shopper, kind, data, f"{kind}:{row.order_no}", now_ms


def _wake(connection: Connection, at_ms: dict[str, int]) -> None:
    if at_ms:
        connection.execute(
            update(presale_orders)
            .where(presale_orders.c.order_no == bindparam("number"))
            .values(next_at_ms=bindparam("at_ms")),
            [{"number": number, "at_ms": each} for number, each in at_ms.items()],
        )

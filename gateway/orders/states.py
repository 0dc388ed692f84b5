"""The states of an order and the only way to change them: compare-and-set, with an entry in the order's history.

::

       ╭─▶ deposit_paid ──▶ balance_due ─╮    a pre-sale; expired when the balance is never paid
       │                                 ▼
    pending ─────────────────────────▶ paid ──▶ shipped ──▶ completed
       │                                 ▲
       ├─▶ awaiting_group ───────────────╯    a group buy
       ▼
    cancelled, expired

Whatever is paid, in whole or in part, may become `refunding`, and from there goes back to where it came from, or
on to `refunded` when nothing is left to pay back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, update

from gateway.orders.bulk import insert
from gateway.orders.tables import events, order_events, orders

NEXT: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"paid", "deposit_paid", "awaiting_group", "cancelled", "expired"}),
    "deposit_paid": frozenset({"balance_due", "refunding"}),
    "balance_due": frozenset({"paid", "expired", "refunding"}),
    "awaiting_group": frozenset({"paid", "refunding"}),
    "paid": frozenset({"shipped", "refunding"}),
    "shipped": frozenset({"completed", "refunding"}),
    "completed": frozenset({"refunding"}),
    "refunding": frozenset(
        {"deposit_paid", "balance_due", "awaiting_group", "paid", "shipped", "completed", "refunded"}
    ),
    "cancelled": frozenset(),
    "expired": frozenset(),
    "refunded": frozenset(),
}
"""Which states may follow which."""


def move(
    connection: Connection,
    order_no: str,
    before: str,
    after: str,
    *,
    actor: str,
    at_ms: int,
    detail: Mapping[str, Any] | None = None,
    **values: Any,
) -> bool:
    """Bring an order from one state to the next, setting further columns with it.

    Args:
        connection: a writing transaction.
        order_no: the order.
        before: the state it must be in.
        after: the state it gets.
        actor: who does it, for the history.
        at_ms: database time, epoch ms.
        detail: what the history should say besides.
        values: columns of `orders` to set.

    Returns:
        False, and nothing changed, when the order is in another state than `before` (or there is none).
    """
    assert after in NEXT[before], f"no order goes from {before} to {after}"
    moved = connection.execute(
        update(orders)
        .where(orders.c.order_no == order_no, orders.c.status == before)
        .values(status=after, **values)
    ).rowcount
    if moved:
        tell(connection, [(order_no, before, after)], actor=actor, at_ms=at_ms, detail=detail)
    return bool(moved)


def tell(
    connection: Connection,
    moves: list[tuple[str, str, str]],
    *,
    actor: str,
    at_ms: int,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write (order, before, after) into the orders' histories, and that it happened, for webhooks."""
    if moves:
        said = dict(detail or {})
        rows = [(order_no, at_ms, actor, before, after, said) for order_no, before, after in moves]
        insert(connection, order_events, rows, skip=False)
        happened = [
            (f"order.{after}", order_no, at_ms, {"before": before, "after": after})
            for order_no, before, after in moves
        ]
        insert(connection, events, happened, skip=False)

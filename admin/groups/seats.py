"""The seats of a group: what changes when one is paid for or given up. The group's row is locked by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from admin.groups.tables import groups
from admin.memberships import granting
from admin.notices.models import Kind
from admin.notices.telling import notify_all
from admin.reservations import ledger
from admin.reservations.tables import tallies
from admin.resources import Resources
from gateway.orders import states
from gateway.orders.tables import orders

ACTOR = "group"
"""How a group stands in the history of its orders."""
WAITING = ("pending", "awaiting_group")
"""States of orders that are in a group which is not full."""


def paid(resources: Resources, connection: Connection, group: str, at_ms: int) -> None:
    """One more seat of a group is paid for; with the last one the group is full and its orders are paid.

    Money may come for a seat in a group that is over: whoever makes the rounds pays it back.
    """
    row = connection.execute(
        select(groups, tallies.c.committed)
        .join(tallies, (tallies.c.kind == "seat") & (tallies.c.subject == groups.c.id) & (tallies.c.owner == ""))
        .where(groups.c.id == group)
    ).one()
    if row.state == "open" and row.committed == row.size:
        fill(resources, connection, row, at_ms)


def fill(resources: Resources, connection: Connection, group: Row[Any], at_ms: int, *, virtual: int = 0) -> None:
    """A group is full, `virtual` of its seats with nobody in them: whoever has paid gets what they paid for."""
    connection.execute(
        update(groups)
        .where(groups.c.id == group.id)
        # Beside virtual seats somebody may be left who has not paid.
        .values(state="full", virtual_seats=virtual, closed_at_ms=at_ms, settled=not virtual)
    )
    seated = waiting(connection, group.id, ("awaiting_group",))
    for order in seated:
        states.move(
            connection,
            order.order_no,
            "awaiting_group",
            "paid",
            actor=ACTOR,
            at_ms=at_ms,
            detail={"group": group.id},
            paid_at_ms=at_ms,
        )
    for order in seated:
        # All that is still to be paid for is stock of one product.
        ledger.commit(connection, order.order_no)
    for order in sorted(seated, key=lambda order: str(order.shopper)):
        granting.grant(resources, connection, order, at_ms)
    tell(connection, group, seated, "group_full", at_ms)


def left(connection: Connection, order: Row[Any], at_ms: int) -> None:
    """An order has given up its seat; when it was the leader's, the next shopper leads."""
    group = connection.execute(select(groups).where(groups.c.id == order.group_id)).one()
    if group.state != "open":
        return
    first = connection.execute(
        select(orders.c.shopper)
        .where(orders.c.group_id == group.id, orders.c.status.in_(WAITING))
        .order_by(orders.c.created_at_ms, orders.c.order_no)
        .limit(1)
    ).scalar_one_or_none()
    these = update(groups).where(groups.c.id == group.id)
    if first is not None:
        if order.shopper == group.leader:
            connection.execute(these.values(leader=first))
    elif at_ms < group.deadline_ms:
        connection.execute(these.values(state="closed", closed_at_ms=at_ms, settled=True))


def waiting(connection: Connection, group: str, statuses: Sequence[str] = WAITING) -> Sequence[Row[Any]]:
    """The orders in some states that are in a group, locked, in the order of locking."""
    return connection.execute(
        select(orders)
        .where(orders.c.group_id == group, orders.c.status.in_(statuses))
        .order_by(orders.c.order_no)
        .with_for_update()
    ).all()


def tell(connection: Connection, group: Row[Any], seated: Sequence[Row[Any]], kind: Kind, at_ms: int) -> None:
    """Tell whoever sits in a group how it ended."""
    data = {"group": group.id, "campaign": group.campaign, "sku": group.sku, "name": group.name}
    notify_all(
        connection,
        [
            (order.shopper, kind, {**data, "order_no": order.order_no}, f"{kind}:{order.order_no}", at_ms)
            for order in seated
        ],
    )

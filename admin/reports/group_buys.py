"""Groups of a group buy."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from admin.groups.tables import groups
from admin.reports.models import GroupFigures
from gateway.orders.tables import orders

SEATED = ("awaiting_group", "paid", "shipped", "completed", "refunding")


def figures(connection: Connection, code: str) -> GroupFigures:
    """The figures of a group buy."""
    by_state = {
        row.state: row
        for row in connection.execute(
            select(
                groups.c.state,
                func.count().label("number"),
                func.sum(groups.c.virtual_seats).label("virtual_seats"),
            )
            .where(groups.c.campaign == code)
            .group_by(groups.c.state)
        )
    }
    count = {state: row.number for state, row in by_state.items()}
    seats_paid = connection.execute(
        select(func.count()).where(orders.c.campaign == code, orders.c.status.in_(SEATED))
    ).scalar_one()
    return GroupFigures(
        opened=sum(count.values()),
        open=count.get("open", 0),
        full=count.get("full", 0),
        failed=count.get("failed", 0),
        closed=count.get("closed", 0),
        seats_paid=seats_paid,
        virtual_seats=sum(int(row.virtual_seats) for row in by_state.values()),
    )

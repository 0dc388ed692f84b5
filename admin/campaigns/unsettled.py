"""What keeps a campaign from being put away: orders that are still to be paid, deposits, and open groups."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, or_, select, union

from admin.errors import Conflict
from admin.groups.tables import UNSETTLED, groups
from admin.orders.tables import order_lines
from gateway.orders.tables import orders

NAMED_MAX = 10
"""As many of a kind are named."""
_DEPOSITS = ("deposit_paid", "balance_due")


def has_orders(connection: Connection, code: str) -> bool:
    """Whether anybody has ever ordered in a campaign, as one of the lines at least."""
    ordered = exists().where(orders.c.campaign == code), exists().where(order_lines.c.campaign == code)
    return bool(connection.execute(select(or_(*ordered))).scalar_one())


def require_settled(connection: Connection, code: str) -> None:
    """Refuse to archive a campaign before everything is settled.

    Raises:
        Conflict: naming what is not.
    """
    pending = _numbers(connection, code, orders.c.status == "pending")
    deposits = _numbers(connection, code, orders.c.status.in_(_DEPOSITS))
    awaited = select(groups.c.id).where(groups.c.campaign == code, UNSETTLED).order_by(groups.c.id)
    opened = list(connection.execute(awaited.limit(NAMED_MAX)).scalars())
    found = (
        (pending, "orders_pending", "orders of it still wait for payment"),
        (deposits, "deposits_open", "deposits still wait for their balance"),
        (opened, "groups_open", "groups of it are still open or being paid back"),
    )
    said = [(kind, text) for numbers, kind, text in found if numbers]
    if said:
        raise Conflict(
            f"{' and '.join(text for _, text in said)}; archive it when they are settled",
            code=said[0][0],
            state="ended",
            orders=pending,
            deposits=deposits,
            groups=opened,
        )


def _numbers(connection: Connection, code: str, which: ColumnElement[bool]) -> list[str]:
    # Two halves, each with an index of its own.
    alone = select(orders.c.order_no).where(orders.c.campaign == code, which)
    among: Select[Any] = (
        select(orders.c.order_no)
        .join(order_lines, order_lines.c.order_no == orders.c.order_no)
        .where(order_lines.c.campaign == code, which)
    )
    return list(connection.execute(union(alone, among).order_by("order_no").limit(NAMED_MAX)).scalars())

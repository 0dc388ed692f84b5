"""Shoppers whose first order that counts is one of those reported."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, null, select, union_all

from admin.members.tables import members
from gateway.orders.tables import ACTIVE_STATES, orders


def count(connection: Connection, these: ColumnElement[bool]) -> int:
    """How many there are; `these` is the condition that an order is one of those reported."""
    found = _newcomers(these).subquery()
    return connection.execute(select(func.count()).select_from(found)).scalar_one()


def by(
    connection: Connection,
    these: ColumnElement[bool],
    column: ColumnElement[Any],
    parts: Any,
    *wanted: ColumnElement[bool],
) -> dict[Any, int]:
    """The same under None, and by the values of a column of those `parts` (with their orders) that are `wanted`."""
    # Found once for both halves.
    new = _newcomers(these).cte("newcomers")
    apart = (
        select(column, func.count(orders.c.shopper.distinct()))
        .select_from(parts.join(new, new.c.shopper == orders.c.shopper))
        .where(*wanted, orders.c.status.in_(ACTIVE_STATES))
        .group_by(column)
    )
    rows = connection.execute(union_all(select(null(), func.count()).select_from(new), apart))
    return {row[0]: row[1] for row in rows}


def _newcomers(these: ColumnElement[bool]) -> Select[Any]:
    first = (
        select(orders.c.shopper, func.min(orders.c.created_at_ms).label("at_ms"))
        .where(these, orders.c.status.in_(ACTIVE_STATES))
        .group_by(orders.c.shopper)
        .subquery("first")
    )
    earlier = orders.alias("earlier")
    has_paid = exists().where(
        earlier.c.shopper == first.c.shopper,
        earlier.c.created_at_ms < first.c.at_ms,
        earlier.c.paid_at_ms.is_not(None),
    )
    # In this shop or, as an operator says, in one before it.
    on_record = exists().where(members.c.shopper == first.c.shopper, members.c.first_paid_at_ms < first.c.at_ms)
    return select(first.c.shopper).where(~has_paid, ~on_record)

"""What paid products make of their buyer, and what refunds take away again.

A shopper's grants of one level follow each other. They are laid out anew whenever one comes or goes: a refund
leaves things as if its units had never been bought.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, case, insert, select, text, update

from admin.catalog import service as catalog
from admin.memberships.tables import membership_grants
from admin.memberships.terms import windows
from admin.orders.tables import order_lines
from admin.resources import Resources
from gateway.orders.tables import SECKILL

# Two orders of a shopper may be paid at the same moment, and have no row in common. SQLite has one writer anyway.
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:shopper, 20))")


def grant(resources: Resources, connection: Connection, order: Row[Any], at_ms: int) -> None:
    """Grant the memberships of an order that has just been paid in full, from an instant on (epoch ms).

    It locks the shopper's grants, which come last in the order of locks.
    """
    rows = [
        {
            "order_no": order.order_no,
            "line": line,
            "shopper": order.shopper,
            "level": terms["level"],
            "days": terms["days"],
            "units": units,
            "granted_at_ms": at_ms,
            # Laid out below, with what the shopper has already.
            "starts_at_ms": at_ms,
            "ends_at_ms": at_ms,
            "revoked": False,
        }
        for line, units, terms in _bought(connection, order)
    ]
    if not rows:
        return
    _alone(connection, order.shopper)
    connection.execute(insert(membership_grants), rows)
    for level in sorted({row["level"] for row in rows}):
        _lay_out(connection, order.shopper, level, resources.zone)


def revoke(resources: Resources, connection: Connection, order: Row[Any], line: int, units: int) -> None:
    """Take back what some units of a line had granted, because they are paid back; a line that granted nothing
    is left alone.

    It locks the shopper's grants, which come last in the order of locks: call it after everything else.
    """
    this = membership_grants.c.order_no == order.order_no, membership_grants.c.line == line
    found = connection.execute(select(membership_grants).where(*this)).one_or_none()
    if found is None:
        return
    _alone(connection, found.shopper)
    left = case((membership_grants.c.units > units, membership_grants.c.units - units), else_=0)
    connection.execute(
        update(membership_grants).where(*this).values(units=left, revoked=membership_grants.c.units <= units)
    )
    _lay_out(connection, found.shopper, found.level, resources.zone)


def _bought(connection: Connection, order: Row[Any]) -> Iterator[tuple[int, int, Mapping[str, int]]]:
    """Line, units, and what each unit grants."""
    if order.flow == SECKILL:
        # The gateway keeps no terms of the product: those of today count.
        product = catalog.find(connection, [order.sku]).get(order.sku)
        if product is not None and product.membership is not None:
            yield 1, order.quantity, product.membership
        return
    lines = select(order_lines).where(order_lines.c.order_no == order.order_no).order_by(order_lines.c.line)
    for line in connection.execute(lines):
        if line.membership is not None:
            yield line.line, line.quantity, line.membership


def _alone(connection: Connection, shopper: str) -> None:
    """Until the transaction ends, nobody else changes this shopper's grants."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE, {"shopper": shopper})


def _lay_out(connection: Connection, shopper: str, level: int, zone: ZoneInfo) -> None:
    table = membership_grants.c
    grants = connection.execute(
        select(membership_grants)
        .where(table.shopper == shopper, table.level == level, ~table.revoked)
        .order_by(table.granted_at_ms, table.order_no, table.line)
    ).all()
    wanted = windows(((each.granted_at_ms, each.days * each.units) for each in grants), zone)
    for each, (starts_at_ms, ends_at_ms) in zip(grants, wanted, strict=True):
        if (each.starts_at_ms, each.ends_at_ms) != (starts_at_ms, ends_at_ms):
            connection.execute(
                update(membership_grants)
                .where(table.order_no == each.order_no, table.line == each.line)
                .values(starts_at_ms=starts_at_ms, ends_at_ms=ends_at_ms)
            )

"""Writing a plan's rows into their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, update

from admin.sheets.model import Plan, Record
from gateway.orders.database import now_ms


def write_rows(
    connection: Connection,
    table: Table,
    plan: Plan,
    columns: Sequence[str],
    *,
    made: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> None:
    """Insert what is new, and change these columns of the rest. `made` and `changed` are set in every such row."""
    now = now_ms(connection)
    if plan.made:
        stamps = {**made, "revision": 1, "created_at_ms": now, "updated_at_ms": now}
        connection.execute(insert(table), [{**each.values, **stamps} for each in plan.made])
    _change(connection, table, plan.changed, columns, {**changed, "updated_at_ms": now})
    _change(connection, table, plan.restocked, ["stock"], {"updated_at_ms": now})


def _change(
    connection: Connection,
    table: Table,
    records: Sequence[Record],
    columns: Sequence[str],
    fixed: Mapping[str, Any],
) -> None:
    if not records:
        return
    (key,) = table.primary_key.columns
    # Names that no column has: an update takes those for itself.
    values: dict[str, Any] = {name: bindparam(f"to_{name}") for name in columns}
    statement = update(table).where(key == bindparam("of")).values(values)
    connection.execute(
        statement.values(**fixed, revision=table.c.revision + 1),
        [{"of": each.key, **{f"to_{name}": each.values[name] for name in columns}} for each in records],
    )

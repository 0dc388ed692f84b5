"""The one place where SQLite and PostgreSQL part ways: inserting many rows that may be there already.

SQLite takes rows fastest one by one in a prepared statement, PostgreSQL as one array per column.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Integer, String, Table
from sqlalchemy.types import TypeEngine


def insert_new(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert the rows that break no unique constraint, columns in the table's order.

    Returns:
        How many rows were inserted; fewer than given means that some met a row that is there.
    """
    if not rows:
        return 0
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return connection.exec_driver_sql(_statement(table, dialect), list(rows)).rowcount
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    return connection.exec_driver_sql(_statement(table, dialect), columns).rowcount


@cache
def _statement(table: Table, dialect: str) -> str:
    names = ", ".join(column.name for column in table.columns)
    if dialect == "sqlite":
        source = f"VALUES ({', '.join('?' for _ in table.columns)})"
    else:
        arrays = ", ".join(f"%s::{_array(column.type)}" for column in table.columns)
        source = f"SELECT * FROM unnest({arrays})"  # noqa: S608 - names of our own tables only
    return f"INSERT INTO {table.name} ({names}) {source} ON CONFLICT DO NOTHING"


def _array(kind: TypeEngine[Any]) -> str:
    # A cast to varchar(n) would cut a long text silently; text[] lets the insert refuse it.
    match kind:
        case BigInteger():
            return "bigint[]"
        case Integer():
            return "integer[]"
        case Boolean():
            return "boolean[]"
        case String():
            return "text[]"
    raise TypeError(f"no array type for {kind!r}")

"""The one place where SQLite and PostgreSQL part ways: inserting many rows that may be there already.

SQLite takes rows fastest one by one in a prepared statement, PostgreSQL as one JSON document: its parser is
quicker than any array that the driver can write.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
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
    names = [str(column.name) for column in table.columns]
    document = orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()
    return connection.exec_driver_sql(_statement(table, dialect), (document,)).rowcount


@cache
def _statement(table: Table, dialect: str) -> str:
    names = ", ".join(column.name for column in table.columns)
    if dialect == "sqlite":
        source = f"VALUES ({', '.join('?' for _ in table.columns)})"
    else:
        typed = ", ".join(f"{column.name} {_kind(column.type)}" for column in table.columns)
        source = f"SELECT {names} FROM json_to_recordset(%s::json) AS row({typed})"  # noqa: S608 - own names
    return f"INSERT INTO {table.name} ({names}) {source} ON CONFLICT DO NOTHING"


def _kind(kind: TypeEngine[Any]) -> str:
    # Not varchar(n): text lets the insert refuse what is too long.
    match kind:
        case BigInteger():
            return "bigint"
        case Integer():
            return "integer"
        case Boolean():
            return "boolean"
        case String():
            return "text"
    raise TypeError(f"no way to send {kind!r}")

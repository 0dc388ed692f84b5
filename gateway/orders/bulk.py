"""The one place where SQLite and PostgreSQL part ways: inserting many rows that may be there already.

PostgreSQL takes the rows as one JSON document, whose parser is quicker than any array the driver can write.
SQLite takes them in statements of `SQLITE_ROWS` rows: with one statement per row, each would give way to other
threads and wait for its turn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, Connection, Integer, String, Table
from sqlalchemy.types import TypeEngine

SQLITE_ROWS = 100


def insert_new(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert the rows that break no unique constraint, columns in the table's order.

    Returns:
        How many rows were inserted; fewer than given means that some met a row that is there.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        names = [str(column.name) for column in table.columns]
        document = orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()
        return connection.exec_driver_sql(_from_json(table), (document,)).rowcount
    inserted = 0
    whole = len(rows) - len(rows) % SQLITE_ROWS
    for start in range(0, whole, SQLITE_ROWS):
        values = tuple(chain.from_iterable(rows[start : start + SQLITE_ROWS]))
        inserted += connection.exec_driver_sql(_from_values(table, SQLITE_ROWS), values).rowcount
    if whole < len(rows):
        inserted += connection.exec_driver_sql(_from_values(table, 1), list(rows[whole:])).rowcount
    return inserted


@cache
def _from_json(table: Table) -> str:
    typed = ", ".join(f"{column.name} {_kind(column.type)}" for column in table.columns)
    return _insert(table, f"SELECT * FROM json_to_recordset(%s::json) AS row({typed})")  # noqa: S608 - own names


@cache
def _from_values(table: Table, rows: int) -> str:
    row = f"({', '.join('?' for _ in table.columns)})"
    return _insert(table, f"VALUES {', '.join([row] * rows)}")


def _insert(table: Table, source: str) -> str:
    names = ", ".join(column.name for column in table.columns)
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

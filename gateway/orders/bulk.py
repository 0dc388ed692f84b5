"""The one place where SQLite and PostgreSQL part ways: inserting many rows at once.

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
from sqlalchemy import JSON, BigInteger, Boolean, Column, Connection, Integer, String, Table
from sqlalchemy.types import TypeEngine

SQLITE_ROWS = 100


def insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], *, skip: bool) -> int:
    """Insert rows: all columns that may not be null, in the table's order, but ids that count up by themselves.
    A column's `info["bulk"]` outranks that.

    With `skip`, rows that would break a unique constraint are left out; without, PostgreSQL needs two thirds of
    the time.

    Returns:
        How many rows were inserted.

    Raises:
        sqlalchemy.exc.IntegrityError: a row breaks a constraint (without `skip`: or a unique one).
        sqlalchemy.exc.DataError: a value does not fit its column.
    """
    if connection.dialect.name == "postgresql":
        names = [str(column.name) for column in _given(table)]
        document = orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()
        return connection.exec_driver_sql(_from_json(table, skip), (document,)).rowcount
    structured = [place for place, column in enumerate(_given(table)) if isinstance(column.type, JSON)]
    if structured:
        rows = [_with_text(row, structured) for row in rows]
    inserted = 0
    whole = len(rows) - len(rows) % SQLITE_ROWS
    for start in range(0, whole, SQLITE_ROWS):
        values = tuple(chain.from_iterable(rows[start : start + SQLITE_ROWS]))
        inserted += connection.exec_driver_sql(_from_values(table, SQLITE_ROWS, skip), values).rowcount
    if whole < len(rows):
        inserted += connection.exec_driver_sql(_from_values(table, 1, skip), list(rows[whole:])).rowcount
    return inserted


@cache
def _given(table: Table) -> list[Column[Any]]:
    return [
        column
        for column in table.columns
        if column.info.get("bulk", not column.nullable) and column is not table.autoincrement_column
    ]


def _with_text(row: tuple[Any, ...], structured: Sequence[int]) -> tuple[Any, ...]:
    return tuple(
        orjson.dumps(value).decode() if place in structured and value is not None else value
        for place, value in enumerate(row)
    )


@cache
def _from_json(table: Table, skip: bool) -> str:
    typed = ", ".join(f"{column.name} {_kind(column.type)}" for column in _given(table))
    return _insert(table, f"SELECT * FROM json_to_recordset(%s::json) AS row({typed})", skip)  # noqa: S608 - own names


@cache
def _from_values(table: Table, rows: int, skip: bool) -> str:
    row = f"({', '.join('?' for _ in _given(table))})"
    return _insert(table, f"VALUES {', '.join([row] * rows)}", skip)


def _insert(table: Table, source: str, skip: bool) -> str:
    names = ", ".join(column.name for column in _given(table))
    return f"INSERT INTO {table.name} ({names}) {source}{' ON CONFLICT DO NOTHING' if skip else ''}"


def _kind(kind: TypeEngine[Any]) -> str:
    # Not varchar(n): text lets the insert refuse what is too long.
    match kind:
        case JSON():
            return "json"
        case BigInteger():
            return "bigint"
        case Integer():
            return "integer"
        case Boolean():
            return "boolean"
        case String():
            return "text"
    raise TypeError(f"no way to send {kind!r}")

"""Opening the database the same way everywhere: durable, with writers that queue instead of failing.

SQLite runs in WAL mode with full sync, and a writing transaction takes its lock at the start, so it can wait
for its turn but never fail in the middle. PostgreSQL commits synchronously.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url

BUSY_TIMEOUT_MS = 10_000

_NOW_MS = {
    "sqlite": text("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"),
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"),
}


def open_engine(url: str) -> Engine:
    """An engine for ``sqlite:///path`` or ``postgresql://…``.

    Raises:
        sqlalchemy.exc.ArgumentError: the URL has another form.
        ImportError: PostgreSQL is asked for and the `postgres` extra is not installed.
    """
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "isolation_level": None})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(
            parsed,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={
                "connect_timeout": 5,
                "client_encoding": "utf8",
                "options": "-c synchronous_commit=on -c lock_timeout=10000",
            },
        )
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write; commits at the end of the block, rolls back on an error."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads, so it never makes a writer wait."""
    with engine.connect().execution_options(reads=True) as connection:
        yield connection


def now_ms(connection: Connection) -> int:
    """The database's own clock, epoch milliseconds."""
    return int(connection.execute(_NOW_MS[connection.dialect.name]).scalar_one())

"""Storing snapshots, quickly and together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from admin.quotes.driver import driver_connection
from gateway.orders.database import open_engine

COLUMNS = ("token", "shopper", "engine", "change_number", "created_at_ms", "valid_until_ms", "snapshot", "terms")


@dataclass(frozen=True, slots=True)
class Entry:
    """One snapshot to store. `shopper` is whose it is; None for one that cannot be ordered, which has no `terms`.

    `created_at_ms` is database time, whatever moment was priced.
    """

    token: str
    shopper: str | None
    engine: int
    change_number: int
    created_at_ms: int
    snapshot: bytes
    terms: str | None


class Recorder:
    """Stores snapshots, many in one commit.

    A power cut may take back what was stored in the last moment: such a quote has to be asked for again, and
    nothing else is lost. A commit therefore does not wait for the disk.
    """

    def __init__(self, database_url: str, valid_ms: int) -> None:
        self._engine = _relaxed(database_url)
        self._valid_ms = valid_ms

    def store(self, entries: Sequence[Entry]) -> None:
        """Store snapshots; they are committed when this returns.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not take them.
        """
        rows = [
            (
                each.token,
                each.shopper,
                each.engine,
                each.change_number,
                each.created_at_ms,
                each.created_at_ms + self._valid_ms,
                each.snapshot,
                each.terms,
            )
            for each in entries
        ]
        # One statement for all rows, and below SQLAlchemy's: both are for speed, as every quote pays for this.
        place = "?" if self._engine.dialect.paramstyle == "qmark" else "%s"
        values = f"({', '.join([place] * len(COLUMNS))})"
        statement = f"INSERT INTO quotes ({', '.join(COLUMNS)}) VALUES {', '.join([values] * len(rows))}"  # noqa: S608 - names and places only
        with driver_connection(self._engine) as connection:
            # A statement alone commits itself in SQLite, as there is no transaction; elsewhere one has begun.
            connection.execute(statement, tuple(value for row in rows for value in row)).close()
            connection.commit()

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()


def _relaxed(database_url: str) -> Engine:
    engine = open_engine(database_url)
    relax = "PRAGMA synchronous=NORMAL" if engine.dialect.name == "sqlite" else "SET synchronous_commit = off"

    def connected(connection: Any, _record: Any) -> None:
        connection.execute(relax).close()
        if engine.dialect.name != "sqlite":
            connection.commit()

    event.listen(engine, "connect", connected)
    return engine

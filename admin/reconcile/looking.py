"""Looking through the shop's books as they are at one moment, so nothing that is under way looks broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from admin.reconcile import counts, holdings, money, sums
from admin.reconcile.breaches import ShopBreach
from gateway.orders.database import reading


def broken(engine: Engine) -> list[ShopBreach]:
    """Every broken invariant of the shop's books.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
    """
    with _moment(engine) as connection:
        return [
            *counts.check(connection),
            *holdings.check(connection),
            *sums.check(connection),
            *money.check(connection),
        ]


@contextmanager
def _moment(engine: Engine) -> Iterator[Connection]:
    """A transaction all of whose statements see the same. SQLite's always do."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with reading(engine) as connection:
        yield connection

"""Below SQLAlchemy: for the statements of every quote, which cost a fraction of the machinery around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError


@contextmanager
def driver_connection(engine: Engine) -> Iterator[Any]:
    """A connection of the database's driver. What is not committed at the end of the block is rolled back.

    Raises:
        sqlalchemy.exc.OperationalError: the driver's errors, as everybody else knows them.
    """
    try:
        connection = engine.raw_connection()
        try:
            yield connection.driver_connection
        finally:
            connection.close()
    except engine.dialect.loaded_dbapi.Error as error:
        raise OperationalError(None, None, error) from error

"""The database's schema, revision by revision."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from gateway.errors import SettingsError
from gateway.orders.database import open_engine, writing

_LOCK = 0x5EC_C111
"""PostgreSQL advisory lock held while migrating; any number that nobody else uses would do."""


def upgrade(database_url: str) -> None:
    """Bring a database to the newest schema. Processes that start at once do it one after the other.

    Raises:
        SettingsError: the database's encoding has no room for all names.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached or refuses.
    """
    engine = open_engine(database_url)
    try:
        # SQLite takes its only write lock when the transaction begins; PostgreSQL needs one that all agree on.
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                _require_utf8(connection)
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _require_utf8(connection: Connection) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise SettingsError(
            f"SECKILL_DATABASE_URL names a database whose encoding is {encoding}, in which not every name can be"
            " written: create it with ENCODING 'UTF8' TEMPLATE template0"
        )


def current(connection: Connection) -> str | None:
    """The revision a database is at."""
    return MigrationContext.configure(connection).get_current_revision()


@cache
def newest() -> str:
    """The revision this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def lacks(connection: Connection) -> str | None:
    """What a database lacks for this code, as a sentence; None when it has all.

    A revision that this code does not know is a later one: later schemas keep what earlier code needs, so that
    old and new processes run side by side during an upgrade.
    """
    found = current(connection)
    if found == newest() or (found is not None and found not in _known()):
        return None
    return f"the database is at schema {found or 'none'}, not {newest()}: run `seckill migrate`"


@cache
def _known() -> frozenset[str]:
    return frozenset(each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    # A percent sign in a path would be taken for the beginning of an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config

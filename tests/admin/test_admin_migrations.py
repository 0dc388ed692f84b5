"""Given any database, migrating brings it to exactly the tables that the code declares."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from admin import migrations
from admin.tables import metadata
from gateway.errors import SettingsError
from gateway.orders.database import open_engine, reading, writing


def test_tables_and_migrations_agree(database_url: str) -> None:
    migrations.upgrade(database_url)
    engine = open_engine(database_url)
    with writing(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_both_make_the_same_indexes_and_checks(database_url: str) -> None:
    """Alembic does not compare conditions of indexes and checks, so the databases' own words are held together."""
    migrations.upgrade(database_url)
    engine = open_engine(database_url)
    migrated = _constraints(engine)
    with writing(engine) as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert migrated == _constraints(engine)
    assert len(migrated) > 20
    engine.dispose()


def _constraints(engine: Engine) -> set[str]:
    inspector = inspect(engine)
    found = set()
    for table in metadata.tables:
        for kind, each in (
            *(("index", dict(index)) for index in inspector.get_indexes(table)),
            *(("check", dict(check)) for check in inspector.get_check_constraints(table)),
            *(("foreign", dict(key)) for key in inspector.get_foreign_keys(table)),
        ):
            conditions = {name: str(value) for name, value in each.pop("dialect_options", {}).items()}
            found.add(f"{table} {kind} {each} {conditions}")
    return found


@pytest.mark.postgres
def test_a_database_in_which_not_every_name_can_be_written_is_refused(postgres_url: str) -> None:
    name = f"ascii_{os.getpid()}"
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        locale = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(text(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' {locale}"))
    try:
        with pytest.raises(SettingsError, match=r"encoding is SQL_ASCII.*ENCODING 'UTF8'"):
            migrations.upgrade(make_url(postgres_url).set(database=name).render_as_string(hide_password=False))
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    migrations.upgrade(database_url)
    migrations.upgrade(database_url)
    engine = open_engine(database_url)
    with reading(engine) as connection:
        assert migrations.current(connection) == migrations.newest()
    engine.dispose()


def test_processes_that_migrate_at_once_all_succeed(database_url: str) -> None:
    code = f"from admin import migrations; migrations.upgrade({database_url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        _, complaint = process.communicate(timeout=40)
        assert process.returncode == 0, complaint.decode()
    engine = open_engine(database_url)
    with reading(engine) as connection:
        assert migrations.current(connection) == migrations.newest()
    engine.dispose()

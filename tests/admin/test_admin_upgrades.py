"""Given a database and code of different releases, they work together, or refuse with the way out."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from alembic import command
from sidecar import Api, settings_for
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Engine,
    Integer,
    MetaData,
    String,
    Text,
    inspect,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from admin import changes, migrations
from admin.promotions.campaign import read_campaign
from admin.tables import metadata
from gateway.orders.database import open_engine, writing
from tests.faults.processes import clean_environment

FIRST = "0001"
TERMS = {
    **dict.fromkeys(("slogan", "label", "limits", "coupons_allowed")),
    **{name: [] for name in ("channels", "stores", "categories", "exclude")},
    "name": "Old",
    "texts": {},
    "audience": {"kind": "everyone"},
    "scope": "items",
    "rule": {"price": 100, "limit_per_shopper": 1, "pay_within_s": 900, "session": None},
}
"""Of a campaign as the second release stored it."""


def migrate_to(url: str, revision: str) -> None:
    engine = open_engine(url)
    with writing(engine) as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture
def old_url(database_url: str) -> str:
    """A database as the first release left it."""
    migrate_to(database_url, FIRST)
    return database_url


def columns(engine: Engine) -> dict[str, dict[str, dict[str, Any]]]:
    inspector = inspect(engine)
    return {
        table: {str(each["name"]): dict(each) for each in inspector.get_columns(table)}
        for table in inspector.get_table_names()
    }


def made_up(kind: TypeEngine[Any], name: str) -> Any:
    """A value that a column takes."""
    match kind:
        case Boolean():
            return True
        case BigInteger() | Integer():
            return 1
        case JSON():
            return {}
        case String() | Text():
            return {"state": "open", "status": "pending"}.get(name, "x")
    raise AssertionError(f"no value for {kind!r} ({name})")


def test_what_was_added_since_the_first_release_has_a_default(old_url: str) -> None:
    engine = open_engine(old_url)
    before = columns(engine)
    assert len(before) > 8
    migrations.upgrade(old_url)
    after = columns(engine)
    engine.dispose()
    for table, known in before.items():
        # Nothing that old code reads or writes has gone or changed,
        assert known.keys() <= after[table].keys(), table
        for name, column in known.items():
            assert str(after[table][name]["type"]) == str(column["type"]), (table, name)
            # though a column may be empty in rows that old code does not write,
            assert after[table][name]["nullable"] or not column["nullable"], (table, name)
        # and what it does not know, it may leave out.
        for name in after[table].keys() - known.keys():
            column = after[table][name]
            assert column["nullable"] or column["default"] is not None, (table, name)


def test_rows_as_the_first_release_writes_them_are_taken_and_read(old_url: str) -> None:
    engine = open_engine(old_url)
    then = MetaData()
    then.reflect(engine)
    migrations.upgrade(old_url)
    written = []
    with writing(engine) as connection:
        for table in then.sorted_tables:
            if table.name == "alembic_version":
                continue
            # What the declared tables say of the type: SQLite reflects a number where it means a flag.
            kinds = metadata.tables[table.name].c
            row = {each.name: made_up(kinds[each.name].type, each.name) for each in table.columns}
            connection.execute(table.insert().values(row))
            written.append(table.name)
        # Code of today reads each of them, whole.
        for name in written:
            (row,) = connection.execute(select(metadata.tables[name])).all()
            assert len(row) == len(metadata.tables[name].columns)
    engine.dispose()
    assert {"orders", "order_units", "offers", "campaigns", "products", "audit"} <= set(written)


@pytest.mark.parametrize("role", ["writer", "erase"])
def test_a_role_on_an_older_schema_stops_and_names_the_way_out(old_url: str, redis_server: Any, role: str) -> None:
    environ = clean_environment() | {"SECKILL_DATABASE_URL": old_url, "SECKILL_REDIS_URL": redis_server.url}
    options = ["--shopper", "amy"] if role == "erase" else []
    done = subprocess.run(
        [sys.executable, "-P", "-m", "admin.cli", role, *options],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2, done.stderr
    assert "`seckill migrate`" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_sidecar_on_an_older_schema_is_not_ready_and_names_the_way_out(
    old_url: str, redis_server: Any, portal: Any
) -> None:
    with Api(settings_for(old_url, redis_server.url), portal) as api:
        said = api.get("/readyz", 503)
        assert any("run `seckill migrate`" in reason for reason in said["reasons"])
        # Brought up to date while it runs, it works.
        migrations.upgrade(old_url)
        assert not any("migrate" in reason for reason in api.send("GET", "/readyz").json()["reasons"])


def test_a_sidecar_on_a_later_schema_goes_on_working(database_url: str, redis_server: Any, portal: Any) -> None:
    # Given a database that a later release has migrated while this one still runs,
    migrations.upgrade(database_url)
    engine = open_engine(database_url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with Api(settings_for(database_url, redis_server.url), portal) as api:
        reply = api.send("GET", "/readyz")
        assert "migrate" not in reply.text
        assert api.get("/orders")["items"] == []


def test_campaigns_from_before_changes_were_recorded_are_recorded(database_url: str) -> None:
    # Given campaigns of the release before, one with an item that was taken off,
    migrate_to(database_url, "0002")
    engine = open_engine(database_url)
    tables = MetaData()
    tables.reflect(engine, only=["campaigns", "campaign_items"])
    campaigns, items = tables.tables["campaigns"], tables.tables["campaign_items"]
    row = {"type": "seckill", "starts_at_ms": 1000, "ends_at_ms": 2000, "priority": 3, "terms": TERMS}
    flags = dict.fromkeys(("draft", "paused", "archived", "removing", "demo"), False)
    stamps = {"revision": 4, "created_at_ms": 1, "updated_at_ms": 1}
    item = {"campaign": "old", "terms": {"stock": 5, "price": None}, "returned": 0, "settled": False}
    with writing(engine) as connection:
        connection.execute(
            campaigns.insert(), [{"code": code, **row, **flags, **stamps} for code in ("new", "old")]
        )
        connection.execute(
            items.insert(),
            [
                {"sku": "kettle", "position": 0, "removed": False, **item},
                {"sku": "lamp", "position": 1, "removed": True, **item},
            ],
        )

    # when the database is brought up to date,
    migrations.upgrade(database_url)

    # then quotes find them as if they had been made now, and the next change gets the next number.
    with writing(engine) as connection:
        recorded = {each.subject: each for each in changes.as_of(connection, "campaign")}
        assert changes.take_number(connection) == 3
    old = read_campaign("old", recorded["old"].body, "CNY")
    assert (old.broken, old.revision, old.rank, list(old.items)) == (None, 4, (-3, -1000, "old"), ["kettle"])
    assert read_campaign("new", recorded["new"].body, "CNY").items == {}
    engine.dispose()

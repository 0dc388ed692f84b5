"""A ledger with its tables, and a Redis that only the order writer's tests use; both emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from gateway.orders.database import open_engine
from gateway.orders.reconcile import looking
from gateway.orders.tables import metadata
from gateway.settings import Settings
from tests.conftest import RedisServer
from tests.gateway.orders.half_sold import HalfSold
from tests.gateway.orders.shop import Shop


@pytest.fixture(scope="session")
def writers_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("writers-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def empty_redis(writers_redis: RedisServer) -> Iterator[Redis]:
    client = writers_redis.client()
    client.flushall()
    yield client
    client.close()


@pytest.fixture(scope="session")
def postgres_ledger_url(postgres_url: str) -> str:
    """One database for all tests here: making one takes longer than most of them."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE orders_tests"))
    engine.dispose()
    url = make_url(postgres_url).set(database="orders_tests").render_as_string(hide_password=False)
    engine = open_engine(url)
    metadata.create_all(engine)
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger without a row, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgres_ledger_url")
    engine = open_engine(url)
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()
    return url


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    engine = open_engine(ledger_url)
    yield engine
    engine.dispose()


@pytest.fixture
def shop(writers_redis: RedisServer, empty_redis: Redis, ledger_url: str, engine: Engine) -> Iterator[Shop]:
    """On both databases."""
    shop = Shop(Settings(redis_url=writers_redis.url, database_url=ledger_url), engine)
    yield shop
    shop.close()


@pytest.fixture
def sale(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> HalfSold:
    """Half sold; nothing is under way, so two looks in a moment are enough."""
    monkeypatch.setattr(looking, "BETWEEN_LOOKS_S", 0.01)
    monkeypatch.setattr(looking, "LOOKS", 2)
    return HalfSold(shop)


@pytest.fixture
def own_shop(own_redis: RedisServer, ledger_url: str, engine: Engine) -> Iterator[Shop]:
    """A shop whose Redis may be killed."""
    shop = Shop(Settings(redis_url=own_redis.url, database_url=ledger_url, lease_ms=5), engine)
    yield shop
    shop.close()

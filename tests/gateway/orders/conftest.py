"""A ledger with its tables, and a Redis that only the order writer's tests use, emptied for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from gateway.orders.database import open_engine
from gateway.orders.tables import metadata
from gateway.settings import Settings
from tests.conftest import RedisServer
from tests.gateway.orders.shop import Shop


@pytest.fixture(scope="session")
def writers_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("writers-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def shop(writers_redis: RedisServer, database_url: str, engine: Engine) -> Iterator[Shop]:
    """On both databases."""
    client = writers_redis.client()
    client.flushall()
    client.close()
    shop = Shop(Settings(redis_url=writers_redis.url, database_url=database_url), engine)
    yield shop
    shop.close()

"""Gateways to test against: one for the session, one with two workers in a demo, others as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster, clustered
from tests.conftest import RedisServer
from tests.gateway.serving import Gateway

StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def gateway(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker, strict, without rate limits."""
    one = Gateway(tmp_path_factory.mktemp("gateway"), redis_server.url)
    yield one.until_ready()
    one.close()


@pytest.fixture(scope="session")
def pair(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two workers, a demo, other origins allowed, the usual rate limit of a shopper."""
    one = Gateway(
        tmp_path_factory.mktemp("pair"),
        redis_server.url,
        workers=2,
        demo="1",
        rate_per_shopper="5/s",
        cors_origins="https://shop.example,https://other.example",
        orders_url="https://orders.example/",
        timezone="Asia/Taipei",
        currency="TWD",
        durability="relaxed",
    )
    yield one.until_ready()
    one.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three primaries. Tests share it: who moves a shard leaves it where it is then."""
    with clustered(tmp_path_factory.mktemp("cluster")) as one:
        yield one


@pytest.fixture
def start_gateway(redis_server: RedisServer, tmp_path: Path) -> Iterator[StartGateway]:
    """Start gateways with settings of their own; `ready=False` for one that will not be."""
    started: list[Gateway] = []

    def start(redis_url: str = "", *, ready: bool = True, workers: int = 1, **settings: str) -> Gateway:
        one = Gateway(tmp_path, redis_url or redis_server.url, workers=workers, **settings)
        started.append(one)
        return one.until_ready() if ready else one

    yield start
    for one in started:
        one.close()

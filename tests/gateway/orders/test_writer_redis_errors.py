"""Given any error of Redis, the order writer waits and goes on by itself, and writes everything once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from gateway import keys
from gateway.orders.database import open_engine
from gateway.orders.tables import metadata
from gateway.settings import Settings
from tests.conftest import RedisServer, wait_until
from tests.gateway.orders.shop import Shop
from tests.redis_errors import errors


@pytest.fixture
def own_shop(own_redis: RedisServer, tmp_path: Path) -> Iterator[Shop]:
    settings = Settings(redis_url=own_redis.url, database_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    engine = open_engine(settings.database_url)
    metadata.create_all(engine)
    shop = Shop(settings, engine)
    yield shop
    shop.close()
    engine.dispose()


def test_the_writer_goes_on_when_redis_is_full(own_shop: Shop, offer_id: str) -> None:
    own_shop.publish(offer_id, stock=100)
    with own_shop.writer():
        wait_until(lambda: own_shop.redis.exists(keys.stream(0)), what="a writer at work")
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
        wait_until(lambda: redis.exists(keys.stream(0)), what="a writer at work")
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

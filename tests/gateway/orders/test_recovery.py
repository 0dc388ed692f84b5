"""An offer that Redis lost, or lost something of, is rebuilt from the ledger and sells on, no unit twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from gateway import keys, offers
from gateway.settings import Settings
from tests.conftest import RedisServer, wait_until
from tests.gateway.orders.shop import Shop


@pytest.fixture
def shop(own_redis: RedisServer, ledger_url: str, engine: Engine) -> Iterator[Shop]:
    """A shop whose Redis may be killed."""
    shop = Shop(Settings(redis_url=own_redis.url, database_url=ledger_url), engine)
    yield shop
    shop.close()


def test_sells_on_after_redis_lost_everything(shop: Shop, own_redis: RedisServer, offer_id: str) -> None:
    """Given a sale half-way, when Redis comes back empty, then winners keep their tickets and the rest is sold."""
    shop.publish(offer_id, stock=30, limit=2)
    won = shop.click(offer_id, ["a", "b", "c"], quantity=2)
    with shop.writer():
        wait_until(shop.settled, what="everything settled")
        own_redis.kill()
        shutil.rmtree(own_redis.folder / "appendonlydir")
        own_redis.start()
        wait_until(lambda: shop.approved(offer_id), what="the recovered offer")
        found = offers.read(shop.redis, offer_id)
        assert (found.epoch, found.stock, found.left, found.version) == (2, 30, 24, 1)
        for shopper, ticket in won.items():
            assert shop.redis.hget(keys.buyers(offer_id, 2), shopper) == ticket.text.encode()
        more = shop.click(offer_id, [f"d{number}" for number in range(24)], epoch=2)
        assert sorted(unit for ticket in [*won.values(), *more.values()] for unit in ticket.units) == list(
            range(1, 31)
        )
        wait_until(shop.settled, what="everything settled")
    assert shop.order_count() == 27
    assert shop.dead() == []

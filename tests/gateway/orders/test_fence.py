"""A restarted Redis sells again when it knows all that the ledger knows, and only then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from gateway import keys, offers
from gateway.orders.fence import FenceWatcher
from gateway.settings import Settings
from tests.conftest import RedisServer, wait_until
from tests.gateway.orders.shop import Shop


@pytest.fixture
def shop(own_redis: RedisServer, ledger_url: str, engine: Engine) -> Iterator[Shop]:
    """A shop whose Redis may be killed."""
    shop = Shop(Settings(redis_url=own_redis.url, database_url=ledger_url), engine)
    yield shop
    shop.close()


@pytest.fixture
def watcher(shop: Shop) -> Iterator[FenceWatcher]:
    watcher = FenceWatcher(shop.settings.redis_url, shop.engine)
    yield watcher
    watcher.close()


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def approved(shop: Shop, offer: str) -> bool:
    return offers.read(shop.redis, offer).run_id == offers.run_id(shop.redis)


def write_all(shop: Shop) -> None:
    with shop.writer():
        wait_until(shop.settled, what="everything settled")


def test_a_clean_restart_is_approved_at_the_first_look(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str
) -> None:
    """Given winners written and winners still in the stream, when Redis restarts whole, then it may sell."""
    shop.publish(offer_id, stock=30, limit=2)
    shop.publish(f"{offer_id}-2", stock=30)
    shop.click(offer_id, ["a", "b"], quantity=2)
    write_all(shop)
    shop.click(offer_id, ["c", "d"])
    restart(own_redis)
    assert not approved(shop, offer_id)
    watcher.check()
    assert watcher.closed == {}
    assert approved(shop, offer_id)
    assert approved(shop, f"{offer_id}-2")
    assert len(shop.click(offer_id, ["e"])) == 1


def test_a_look_costs_no_database_while_nothing_changes(shop: Shop, watcher: FenceWatcher, offer_id: str) -> None:
    """Given an approved Redis, when looked at again, then the database is left alone."""
    shop.publish(offer_id, stock=1)
    watcher.check()
    statements: list[str] = []

    def record(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(shop.engine, "before_cursor_execute", record)
    for _ in range(20):
        watcher.check()
    assert statements == []


def test_a_redis_that_lost_its_latest_sales_stays_closed(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a Redis restored from a copy older than the ledger, then that offer alone stays closed."""
    shop.publish(offer_id, stock=30)
    shop.publish(f"{offer_id}-2", stock=30)
    shop.click(offer_id, ["a"])
    own_redis.kill()
    copy = own_redis.folder / "copy"
    shutil.copytree(own_redis.folder / "appendonlydir", copy)
    own_redis.start()
    watcher.check()
    shop.click(offer_id, ["b", "c"])
    write_all(shop)
    own_redis.kill()
    _restore(copy, own_redis.folder / "appendonlydir")
    own_redis.start()
    for _ in range(3):
        watcher.check()
    assert watcher.closed == {offer_id: "the ledger holds unit 3, and Redis would issue unit 2 next"}
    assert caplog.text.count(f"offer {offer_id} stays closed") == 1
    assert not approved(shop, offer_id)
    assert approved(shop, f"{offer_id}-2")


def _restore(copy: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


def test_a_redis_that_lost_everything_stays_closed(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str
) -> None:
    """Given a Redis that comes back empty, then nothing is seeded and the reason is named."""
    shop.publish(offer_id, stock=30)
    own_redis.kill()
    shutil.rmtree(own_redis.folder / "appendonlydir")
    own_redis.start()
    watcher.check()
    assert watcher.closed == {offer_id: "Redis does not have it"}
    assert offers.read(shop.redis, offer_id) is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"next_unit": 4}, "the ledger holds unit 4, and Redis would issue unit 4 next"),
        ({"left": 7}, "the ledger holds 4 units, Redis only 3"),
        ({"epoch": 2}, "Redis has epoch 2, the ledger epoch 1"),
    ],
)
def test_numbers_that_are_behind_are_named(
    shop: Shop,
    own_redis: RedisServer,
    watcher: FenceWatcher,
    offer_id: str,
    damage: dict[str, int],
    reason: str,
) -> None:
    """Given one number in Redis that contradicts the ledger, then the offer stays closed, until it is right."""
    shop.publish(offer_id, stock=10)
    shop.click(offer_id, list("abcd"))
    write_all(shop)
    before = shop.redis.hmget(keys.offer(offer_id), list(damage))
    shop.redis.hset(keys.offer(offer_id), mapping=damage)
    restart(own_redis)
    watcher.check()
    assert watcher.closed == {offer_id: reason}
    assert not approved(shop, offer_id)
    shop.redis.hset(keys.offer(offer_id), mapping=dict(zip(damage, before, strict=True)))
    FenceWatcher(shop.settings.redis_url, shop.engine).check()
    assert approved(shop, offer_id)


def test_an_order_that_redis_does_not_know_is_named(
    shop: Shop, own_redis: RedisServer, watcher: FenceWatcher, offer_id: str
) -> None:
    """Given equal numbers and a buyer whose record was lost, then the offer stays closed."""
    shop.publish(offer_id, stock=10)
    won = shop.click(offer_id, list("abcd"))
    write_all(shop)
    shop.redis.hdel(keys.buyers(offer_id, 1), "c")
    restart(own_redis)
    watcher.check()
    assert watcher.closed == {offer_id: f"Redis does not know order {won['c'].order_no} of the ledger"}


def test_two_watchers_agree(shop: Shop, own_redis: RedisServer, offer_id: str) -> None:
    """Given two watchers that look at the same moment, then both find the offer approved."""
    shop.publish(offer_id, stock=10)
    shop.click(offer_id, list("abcd"))
    write_all(shop)
    restart(own_redis)
    watchers = [FenceWatcher(shop.settings.redis_url, shop.engine) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda watcher: watcher.check(), watchers))
    assert [watcher.closed for watcher in watchers] == [{}] * 4
    assert approved(shop, offer_id)
    for watcher in watchers:
        watcher.close()

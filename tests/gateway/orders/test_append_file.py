"""Given a power failure in the middle of a script's changes, the torn rest never comes back to life."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway import keys
from gateway.orders import append_file
from tests.conftest import RedisServer
from tests.gateway.orders.losing import check
from tests.gateway.orders.shop import Shop


@pytest.fixture
def shop(own_shop: Shop) -> Shop:
    return own_shop


def file_of(server: RedisServer) -> Path:
    return max(server.folder.rglob("*.aof"), key=lambda path: path.stat().st_mtime_ns)


def in_redis(shop: Shop, offer: str) -> tuple[int, int, set[str], int]:
    """Left, next unit, buyers, winners issued."""
    left, next_unit = shop.redis.hmget(keys.offer(offer), "left", "next_unit")
    buyers = {shopper.decode() for shopper in shop.redis.hkeys(keys.buyers(offer, keys.FIRST_EPOCH))}
    return int(left), int(next_unit), buyers, int(shop.redis.hget(keys.counters(0), "issued"))


@pytest.mark.parametrize("part", [0.5, 0.7, 0.9])
def test_a_torn_transaction_is_gone_after_the_approval(
    shop: Shop, own_redis: RedisServer, offer_id: str, part: float
) -> None:
    # Given a win whose changes are on disk in part,
    shop.publish(offer_id, stock=30)
    shop.click(offer_id, ["told"])
    file = file_of(own_redis)
    whole = file.stat().st_size
    shop.click(offer_id, ["torn"])
    torn = file.stat().st_size
    own_redis.kill()
    os.truncate(file, whole + int(part * (torn - whole)))
    own_redis.start()
    # when the restarted Redis is approved, sells, and restarts once more,
    assert check(shop) == {}
    shop.click(offer_id, ["later", "last"])
    before = in_redis(shop, offer_id)
    own_redis.kill()
    own_redis.start()
    # then it has exactly what it had.
    assert in_redis(shop, offer_id) == before == (27, 4, {"told", "later", "last"}, 3)
    assert shop.redis.xlen(keys.stream(0)) == 2


def test_a_redis_without_such_a_file_is_left_alone(shop: Shop) -> None:
    shop.redis.config_set("appendonly", "no")
    append_file.renew(shop.redis)
    assert not shop.redis.info("persistence")["aof_enabled"]


def test_whoever_may_not_ask_for_a_new_file_is_told_what_to_allow(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.redis.acl_setuser("default", commands=["+@all", "-bgrewriteaof"])
    append_file.renew(shop.redis)
    assert "allow BGREWRITEAOF" in caplog.text


def test_two_may_ask_at_once(shop: Shop) -> None:
    shop.redis.bgrewriteaof()
    append_file.renew(shop.redis)
    assert not shop.redis.info("persistence")["aof_rewrite_in_progress"]

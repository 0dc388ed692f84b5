"""Given Redis 6.2, the oldest that is supported, the commands do there what they do elsewhere."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from gateway import keys, scripts
from tests.lua.calling import Sale, redis_now_ms
from tests.lua.test_lua_settle import settle


@pytest.mark.parametrize("name", scripts.names())
def test_every_command_compiles(oldest_redis: Redis, name: str) -> None:
    script = scripts.load(name)
    assert oldest_redis.script_load(script.source) == script.sha


def test_a_sale_from_opening_to_end(oldest_redis: Redis, offer_id: str) -> None:
    sale = Sale.open(oldest_redis, offer_id, stock=3, limit=2)
    reply = sale.admit("amy", "bob", "amy", quantities=[1, 2, 1], click_keys=["a", "a", "a"], rate_limit=5)
    assert (reply.letters, reply.units) == ("WWA", [1, 2, 3])
    assert sale.admit("cleo", click_keys=["a"]).letters == "S"
    sale.adjust(2)
    sale.free(1)
    assert sale.admit("cleo", "dan", quantities=[2, 1], click_keys=["a", "a"]).units == [1, 4, 5]
    assert sale.admit("amy", deadline_ms=1).word == "LATE"
    assert sale.admit("amy", run_id="x").word == "FENCED"
    sale.set_terms(version=2, limit=2, state="terminated")
    assert sale.admit("bob", "eve", quantities=[2, 1], click_keys=["a", "b"]).letters == "AE"
    assert len(sale.streamed()) == 4


def test_the_shared_rate_limit(oldest_redis: Redis, offer_id: str) -> None:
    sale = Sale.open(oldest_redis, offer_id, stock=0)
    sale.wait_for_window(1000, within_ms=500)
    assert sale.admit("amy", "amy", "amy", rate_limit=2).letters == "SSR"


def test_out_of_memory_changes_nothing(oldest_redis: Redis, offer_id: str) -> None:
    sale = Sale.open(oldest_redis, offer_id, stock=5)
    before = sale.everything()
    oldest_redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match="maxmemory"):
            sale.admit("amy", rate_limit=5)
        with pytest.raises(ResponseError, match="maxmemory"):
            sale.adjust(3)
    finally:
        oldest_redis.config_set("maxmemory", 0)
    assert sale.everything() == before


def test_settling(oldest_redis: Redis) -> None:
    oldest_redis.xgroup_create(keys.stream(0), keys.ORDER_GROUP, id="$", mkstream=True)
    entry = oldest_redis.xadd(keys.stream(0), {"count": 1})
    oldest_redis.xreadgroup(keys.ORDER_GROUP, "writer", {keys.stream(0): ">"})
    assert settle(oldest_redis, (entry, 1, [])) == ["SETTLED", 1, 1, 0]
    oldest_redis.delete(keys.stream(0))
    assert redis_now_ms(oldest_redis) > 0

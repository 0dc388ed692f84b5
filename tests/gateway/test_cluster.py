"""Given a Redis Cluster, the gateway sells on every primary and follows a slot that moves to another."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from gateway import keys, offers, store
from tests.cluster import Cluster, begin_move, end_move, move, move_keys
from tests.conftest import wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.failover import Server
from tests.gateway.serving import Gateway
from tests.lua.calling import Sale


@pytest.fixture
def redis(cluster: Cluster) -> Iterator[Redis]:
    """The test's own client of the cluster."""
    with store.connect(cluster.url) as client:
        yield client


@pytest.fixture(scope="module")
def selling(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that sells from the cluster."""
    one = Gateway(tmp_path_factory.mktemp("gateway"), cluster.url)
    yield one.until_ready()
    one.close()


def other(cluster: Cluster, than: Server) -> Server:
    return next(each for each in cluster.primaries if each is not than)


def approve(redis: Redis, offer: str, bucket: int = 0) -> None:
    """What the order writer does when it has compared the offer with the ledger."""
    redis.hset(keys.offer(offer, bucket), "run_id", offers.run_id(redis, keys.shard_of(offer, bucket)))


def test_offers_on_every_shard_sell_out_exactly(selling: Gateway, redis: Redis, offer_id: str) -> None:
    sales = [Sale.open(redis, f"{offer_id}-{number}", stock=5) for number in range(12)]
    heard: Counter[str] = Counter()
    with ThreadPoolExecutor(8) as crowd:
        for sale in sales:
            heard.update(crowd.map(lambda number, of=sale: selling.outcome(of.id, f"s{number}"), range(8)))
    assert heard == {"won": 60, "sold_out": 36}
    assert len({keys.shard_of(sale.id) for sale in sales}) > 3
    for sale in sales:
        units = sorted(int(ticket.split(b",")[1]) for _, ticket in sale.streamed())
        assert units == [1, 2, 3, 4, 5]
        assert selling.get(f"/seckill/{sale.id}/mine", "s0").json()["outcome"] in {"won", "none"}
    listed = {each["id"]: each for each in selling.get("/seckill?limit=500").json()["items"]}
    assert {listed[sale.id]["left"] for sale in sales} == {0}


def script_calls(cluster: Cluster) -> list[int]:
    """How often each primary was called for a script."""
    found = []
    for server in cluster.primaries:
        with server.client as client:
            stats: Any = client.info("commandstats")
            found.append(int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"]))
    return found


def shoppers_of(bucket: int, buckets: int, count: int) -> list[str]:
    """So many shoppers whose home it is."""
    names = (f"shopper {number}" for number in itertools.count())
    at_home = (name for name in names if keys.home_bucket(name.encode(), buckets) == bucket)
    return list(itertools.islice(at_home, count))


@pytest.mark.parametrize("buckets", [1, 3])
def test_each_primary_has_its_share_of_one_hot_offer(
    selling: Gateway, cluster: Cluster, redis: Redis, offer_id: str, buckets: int
) -> None:
    sale = Sale.open(redis, offer_id, stock=30, buckets=buckets)
    crowd = [
        each for bucket in keys.bucket_numbers(buckets) for each in shoppers_of(bucket, buckets, 30 // buckets)
    ]
    # One at a time, so that every click is a call.
    before = script_calls(cluster)
    assert Counter(selling.outcome(sale.id, each) for each in crowd) == {"won": 30}
    calls = sorted(after - then for after, then in zip(script_calls(cluster), before, strict=True))
    # A cluster that other tests have moved slots in may have two of three buckets on one primary.
    owners = Counter(cluster.owner(keys.shard_of(sale.id, number)) for number in keys.bucket_numbers(buckets))
    assert calls == sorted(30 // buckets * owners[primary] for primary in cluster.primaries)
    # Nothing is left anywhere: who comes now hears it, whatever their bucket.
    for bucket in keys.bucket_numbers(buckets):
        late = shoppers_of(bucket, buckets, 31)[-1]
        assert selling.outcome(sale.id, late) == "sold_out"


def test_a_bucket_on_another_primary_gives_what_it_has(selling: Gateway, redis: Redis, offer_id: str) -> None:
    # Given buyers who are all at home in one of three buckets,
    sale = Sale.open(redis, offer_id, stock=30, buckets=3)
    crowd = shoppers_of(0, 3, 33)
    heard = [selling.outcome(sale.id, each) for each in crowd]
    # then they get the units of all three, each once.
    assert heard == ["won"] * 30 + ["sold_out"] * 3
    units = sorted(int(ticket.split(b",")[1]) for _, ticket in sale.streamed())
    assert units == list(range(1, 31))


def test_units_of_a_bucket_that_moves_are_waited_for(
    selling: Gateway, cluster: Cluster, redis: Redis, offer_id: str
) -> None:
    # Given a shopper whose bucket is empty, while another bucket is on its way to another primary,
    sale = Sale.open(redis, offer_id, stock=3, buckets=3)
    first, second, third = shoppers_of(0, 3, 3)
    assert selling.outcome(sale.id, first) == "won"
    shard = keys.shard_of(offer_id, 4)
    source = cluster.owner(shard)
    target = other(cluster, source)
    begin_move(shard, source, target)
    # then nobody hears that there are none, as nobody can tell.
    assert selling.outcome(sale.id, second) == "busy"
    while move_keys(shard, source, target):
        pass
    end_move(shard, source, target)
    approve(redis, sale.id, 4)
    wait_until(lambda: selling.outcome(sale.id, second) == "won", what="a unit")
    assert selling.outcome(sale.id, third) == "won"


def test_a_slot_that_is_about_to_move_goes_on_selling(
    cluster: Cluster, redis: Redis, offer_id: str, start_gateway: StartGateway
) -> None:
    # Given an offer that has had buyers, one freed unit, and nobody in a rate window,
    limited = start_gateway(cluster.url, rate_per_shopper="5/s")
    sale = Sale.open(redis, offer_id, stock=100)
    assert [limited.outcome(sale.id, name) for name in ("zoe", "bob")] == ["won"] * 2
    sale.free(sale.record("zoe")[0].units[0])
    redis.unlink(keys.rate(sale.id, 0))
    redis.unlink(keys.rate(sale.id, 1))
    shard = keys.shard_of(offer_id)
    source = cluster.owner(shard)
    target = other(cluster, source)
    begin_move(shard, source, target)
    # then keys that do not exist yet, or not any more, hold nobody up.
    assert [limited.outcome(sale.id, f"s{number}") for number in range(5)] == ["won"] * 5
    assert sale.record("s0")[0].units == (1,)
    # When the slot has arrived, then clicks are counted as before.
    while move_keys(shard, source, target):
        pass
    end_move(shard, source, target)
    approve(redis, sale.id)
    wait_until(lambda: limited.outcome(sale.id, "amy", quantity=2) == "rate_limited")


def test_an_offer_is_found_where_its_slot_has_moved_to(
    selling: Gateway, cluster: Cluster, redis: Redis, offer_id: str
) -> None:
    # Given an offer that this gateway has not been asked for yet, on a slot that it knows elsewhere,
    sale = Sale.open(redis, offer_id, stock=100)
    shard = keys.shard_of(offer_id)
    source = cluster.owner(shard)
    move(shard, source, other(cluster, source))
    approve(redis, sale.id)
    # then the first click wins.
    assert selling.outcome(sale.id, "zoe") == "won"


def test_clicks_wait_for_a_slot_that_moves_and_none_is_lost(
    selling: Gateway, cluster: Cluster, redis: Redis, offer_id: str
) -> None:
    sale = Sale.open(redis, offer_id, stock=100)
    assert selling.outcome(sale.id, "zoe") == "won"
    shard = keys.shard_of(offer_id)
    source = cluster.owner(shard)
    target = other(cluster, source)
    begin_move(shard, source, target)
    assert move_keys(shard, source, target, most=1) == 1
    # Some keys are here and some are there: what there is can be looked at,
    assert selling.get(f"/seckill/{sale.id}").json()["left"] == 99
    assert sale.id in {each["id"] for each in selling.get("/seckill?limit=500").json()["items"]}
    # but nobody can decide, so nobody is told anything that could be wrong,
    assert selling.outcome(sale.id, "amy") == "busy"
    # and a click in the last moment waits until they are together.
    with ThreadPoolExecutor(1) as crowd:
        waiting = crowd.submit(selling.outcome, sale.id, "bob")
        while move_keys(shard, source, target):
            pass
        end_move(shard, source, target)
        # There it is another server's offer until somebody has compared it with the ledger.
        assert waiting.result() == "unavailable"
    approve(redis, sale.id)
    wait_until(lambda: selling.outcome(sale.id, "amy") in {"won", "already_won"})
    assert selling.outcome(sale.id, "zoe") == "already_won"
    assert cluster.owner(shard) is target
    assert sale.number("left") == 100 - len(sale.streamed())
    assert "Traceback" not in selling.log

"""Given an offer in several buckets, shoppers notice nothing: every unit is sold, once, to whoever wants it."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from gateway import buckets, keys, offers, stock
from tests.conftest import wait_until
from tests.gateway.serving import LEASE_MS, Gateway
from tests.lua.calling import Sale
from tests.lua.divided import Divided

TOGETHER = 16


def at_home(number: int, *, count: int = 3) -> Iterator[str]:
    """Shoppers whose bucket has that number."""
    names = (f"s{index}" for index in itertools.count())
    return (name for name in names if keys.home_bucket(name.encode(), count) == number)


def some(shoppers: Iterator[str], count: int) -> list[str]:
    return list(itertools.islice(shoppers, count))


def clicks(gateway: Gateway, offer: str, shoppers: list[str], **given: Any) -> list[dict[str, Any]]:
    """One click of each, many at the same time; the replies in order."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(lambda name: gateway.click(offer, name, **given).json(), shoppers))


def words(replies: list[dict[str, Any]]) -> Counter[str]:
    return Counter(reply["outcome"] for reply in replies)


@pytest.mark.parametrize("home", [0, 4, 8])
def test_shoppers_of_one_bucket_buy_the_units_of_all(
    gateway: Gateway, redis: Redis, offer_id: str, home: int
) -> None:
    divided = Divided(redis, offer_id, stock=30)
    shoppers = some(at_home(home), 50)
    replies = clicks(gateway, offer_id, shoppers)
    assert words(replies) == {"won": 30, "sold_out": 20}
    assert sorted(unit for reply in replies for unit in reply.get("units", [])) == list(range(1, 31))
    assert [divided.held(number) for number in (0, 4, 8) if number != home] == [[], []]
    assert divided.left() == [0, 0, 0]
    divided.check()
    # A ticket is found where the shopper buys, and nobody wins twice.
    winner, loser = (
        next(n for n, r in zip(shoppers, replies, strict=True) if r["outcome"] == word)
        for word in ("won", "sold_out")
    )
    assert gateway.outcome(offer_id, winner) == "already_won"
    assert len(gateway.get(f"/seckill/{offer_id}/mine", winner).json()["tickets"]) == 1
    assert gateway.get(f"/seckill/{offer_id}/mine", loser).json()["outcome"] == "none"


@pytest.mark.parametrize("count", [2, 3, 6, 12])
def test_two_workers_sell_every_unit_once(pair: Gateway, redis: Redis, offer_id: str, count: int) -> None:
    divided = Divided(redis, offer_id, stock=40, count=count, card={"demo": True})
    replies = clicks(pair, offer_id, [f"c{number}" for number in range(80)])
    assert words(replies) == {"won": 40, "sold_out": 40}
    assert sorted(unit for reply in replies for unit in reply.get("units", [])) == list(range(1, 41))
    divided.check()


def test_a_quantity_is_gathered_from_several_buckets(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    divided = Divided(redis, offer_id, stock=6, limit=9)
    (name,) = some(at_home(4), 1)
    too_many = gateway.click(offer_id, name, key="a", quantity=7).json()
    assert too_many == {"outcome": "sold_out", "left": 6}
    won = gateway.click(offer_id, name, key="b", quantity=5).json()
    assert (won["outcome"], won["quantity"], len(set(won["units"]))) == ("won", 5, 5)
    assert gateway.click(offer_id, name, key="c", quantity=2).json() == {"outcome": "sold_out", "left": 1}
    assert gateway.click(offer_id, name, key="c", quantity=1).json()["outcome"] == "won"
    divided.check()


def test_a_transfer_of_a_worker_that_died_is_finished_by_the_next(
    gateway: Gateway, redis: Redis, offer_id: str
) -> None:
    divided = Divided(redis, offer_id, stock=3)
    divided.start(0, 4, 1)
    received = divided.start(8, 4, 1)
    divided.receive(received)
    shoppers = some(at_home(8), 4)
    assert words(clicks(gateway, offer_id, shoppers)) == {"won": 3, "sold_out": 1}
    assert buckets.open_transfers(divided.read()) == []
    divided.check()


def test_what_comes_back_to_one_bucket_is_sold_in_another(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    divided = Divided(redis, offer_id, stock=3)
    buyers = some(at_home(0), 3)
    assert words(clicks(gateway, offer_id, buyers)) == {"won": 3}
    (waiting,) = some(at_home(8), 1)
    assert gateway.outcome(offer_id, waiting) == "sold_out"
    for sale in divided.sales.values():
        for number in divided.held(sale.bucket)[:1]:
            sale.free(number)
    wait_until(lambda: gateway.outcome(offer_id, waiting) == "won", what="the unit")
    assert divided.held(8) != []
    divided.check()


def test_sold_out_is_repeated_for_a_lease_and_not_to_winners(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    divided = Divided(redis, offer_id, stock=3)
    shoppers = some(at_home(0), 12)
    winners = [name for name in shoppers if gateway.outcome(offer_id, name) == "won"]
    assert winners == shoppers[:3]

    def local() -> float:
        return gateway.metrics().get("seckill_clicks_local_total", 0)

    before = local()
    for _ in range(20):
        assert {gateway.outcome(offer_id, name) for name in shoppers[3:]} == {"sold_out"}
        assert {gateway.outcome(offer_id, name) for name in winners} == {"already_won"}
    wait_until(lambda: local() > before, what="answers without Redis")
    assert stock.adjust_stock(redis, offer_id, 1, "more", 1, lease_ms=LEASE_MS) is not None
    wait_until(lambda: gateway.outcome(offer_id, shoppers[5]) == "won", what="the unit")
    divided.check()


def test_nobody_is_told_sold_out_while_a_bucket_is_closed(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    divided = Divided(redis, offer_id, stock=3)
    here = some(at_home(4), 3)
    assert gateway.outcome(offer_id, here[0]) == "won"
    redis.hset(keys.offer(offer_id, 8), "run_id", "")
    wait_until(
        lambda: gateway.get(f"/seckill/{offer_id}").json()["state"] == "unavailable", what="the state of a part"
    )
    assert gateway.outcome(offer_id, here[1]) == "unavailable"
    assert gateway.outcome(offer_id, some(at_home(8), 1)[0]) == "unavailable"
    # What the shopper's own bucket has is sold all the same.
    assert gateway.outcome(offer_id, some(at_home(0), 1)[0]) == "won"
    redis.hset(keys.offer(offer_id, 8), "run_id", divided.run_id)
    wait_until(lambda: gateway.outcome(offer_id, here[1]) == "won", what="the unit of the bucket that was closed")
    divided.check()


def test_what_is_shown_is_the_sum(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    divided = Divided(redis, offer_id, stock=30)
    replies = clicks(gateway, offer_id, [f"v{number}" for number in range(12)])
    assert words(replies) == {"won": 12}
    divided.start(0, 4, 1)  # what is on its way is not sold

    def shown() -> Any:
        status = gateway.get(f"/seckill/{offer_id}").json()
        return (status["left"], status["stock"], status["sold_percent"]) == (18, 30, 40)

    wait_until(shown, what="the counts of all buckets")
    listed = next(item for item in gateway.get("/seckill?limit=500").json()["items"] if item["id"] == offer_id)
    assert (listed["left"], listed["state"]) == (18, "running")
    wait_until(lambda: offers.clicks_by_outcome(redis, offer_id) == {"won": 12}, what="the clicks of all buckets")


def test_terms_change_in_every_bucket(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    divided = Divided(redis, offer_id, stock=30)
    shoppers = [next(at_home(number)) for number in (0, 4, 8)]
    divided.first.set_terms(version=2, state="paused", buckets=3)
    assert {gateway.outcome(offer_id, name) for name in shoppers} == {"paused"}
    divided.first.set_terms(version=3, lease_ms=LEASE_MS, buckets=3)
    assert {gateway.outcome(offer_id, name) for name in shoppers} == {"won"}


def test_a_rate_limit_is_not_used_up_by_looking_elsewhere(pair: Gateway, redis: Redis, offer_id: str) -> None:
    Divided(redis, offer_id, stock=3, limit=9, card={"demo": True})
    (name,) = some(at_home(4), 1)
    # Five a second are allowed, and each of these looks elsewhere.
    heard = [pair.outcome(offer_id, name, key=f"k{number}") for number in range(3)]
    assert heard == ["won"] * 3


def test_one_bucket_is_never_sent_elsewhere(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=1)
    assert [gateway.outcome(offer_id, name) for name in ("amy", "bob")] == ["won", "sold_out"]
    assert not redis.exists(sale.named()["transfers"])
    assert sale.number("dry_until_ms") == 0


def test_nobody_waits_long_for_units_that_do_not_come(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    divided = Divided(redis, offer_id, stock=3)
    divided.start(0, 4, 1)
    redis.delete(keys.offer(offer_id, 4))
    (name, *others) = some(at_home(0), 3)
    started = time.monotonic()
    assert {gateway.outcome(offer_id, each) for each in (name, *others)} <= {"unavailable", "busy"}
    assert time.monotonic() - started < 5

"""Given a Redis that is away, slow, badly configured or forgetful, the gateway says what is certain and no more."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
from redis import Redis

from gateway import keys, offers
from tests.conftest import RedisServer, wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.lossy import LossyWay
from tests.gateway.serving import LEASE_MS, Gateway
from tests.lua.calling import Sale, redis_now_ms


@pytest.fixture
def own_client(own_redis: RedisServer) -> Iterator[Redis]:
    client = own_redis.client()
    yield client
    client.close()


def reasons(gateway: Gateway) -> list[str]:
    reply = gateway.get("/readyz")
    assert (reply.status_code == 200) == (not reply.json()["reasons"])
    found: list[str] = reply.json()["reasons"]
    return found


def stop_the_clock(server: RedisServer, *, go_on: bool = False) -> None:
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGCONT if go_on else signal.SIGSTOP)


# Redis is away.


def test_unavailable_while_redis_is_away_and_again_after_a_restart_until_approved(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(own_redis.url)
    won = one.click(offer_id).json()
    own_redis.kill()
    wait_until(lambda: one.status("/readyz") == 503)
    assert "no connection to Redis" in reasons(one)[0]
    reply = one.click(offer_id, "bob")
    assert (reply.status_code, reply.json()) == (503, {"outcome": "unavailable"})
    assert (reply.headers["retry-after"], reply.headers["cache-control"]) == ("1", "no-store")
    for path in (f"/seckill/{offer_id}/mine", "/seckill", "/seckill/other"):
        assert one.get(path, "amy").status_code == 503
    own_redis.start()
    wait_until(lambda: one.status("/readyz") == 200)
    # The new run is not approved: nothing is sold on it, and pages say so.
    assert one.outcome(offer_id, "bob") == "unavailable"
    assert one.get(f"/seckill/{offer_id}").json()["state"] == "unavailable"
    own_client.hset(keys.offer(offer_id), "run_id", own_client.info("server")["run_id"])  # type: ignore[index]
    assert one.outcome(offer_id, "bob") == "won"
    assert one.click(offer_id).json() | {"outcome": "won"} == won
    assert sale.number("left") == 3
    assert "Traceback" not in one.log


def test_a_gateway_that_starts_before_its_redis(
    start_gateway: StartGateway, own_redis: RedisServer, offer_id: str
) -> None:
    own_redis.stop()
    one = start_gateway(own_redis.url, ready=False)
    wait_until(lambda: one.status("/healthz") == 200, within_s=20)
    assert one.status("/readyz") == 503
    assert one.outcome(offer_id) == "unavailable"
    own_redis.start()
    wait_until(lambda: one.status("/readyz") == 200)
    # A Redis without any offer may have lost them.
    assert one.outcome(offer_id) == "unavailable"
    with own_redis.client() as client:
        Sale.open(client, f"{offer_id}-2", stock=1)
    assert one.outcome(offer_id) == "not_found"


# Redis is silent.


def test_unknown_while_redis_is_silent_then_mine_tells_the_truth(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(own_redis.url)
    assert one.outcome(offer_id, "zoe") == "won"
    stop_the_clock(own_redis)
    reply = one.click(offer_id)
    stop_the_clock(own_redis, go_on=True)
    assert (reply.status_code, set(reply.json())) == (504, {"outcome", "settled_at"})
    settled_at_ms = datetime.fromisoformat(reply.json()["settled_at"]).timestamp() * 1000
    # Redis went on after the deadline: the batch it finds waiting is refused, and nobody was sold anything.
    wait_until(lambda: one.status("/readyz") == 200)
    wait_until(lambda: redis_now_ms(own_client) > settled_at_ms)
    mine = one.get(f"/seckill/{offer_id}/mine", "amy").json()
    assert (mine["outcome"], mine["tickets"]) == ("none", [])
    assert sale.record("amy") == []
    assert one.outcome(offer_id) == "won"
    assert one.get(f"/seckill/{offer_id}/mine", "amy").json()["outcome"] == "won"


def test_pending_until_the_deadline(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    # Given a deadline that is far away, and a Redis that dies with the batch in its hands.
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(own_redis.url, click_timeout_ms="2500")
    assert one.outcome(offer_id, "zoe") == "won"
    stop_the_clock(own_redis)
    answers: list[str] = []
    clicking = threading.Thread(target=lambda: answers.append(one.outcome(offer_id)))
    clicking.start()
    clicking.join(0.3)  # by now the batch is in Redis' socket, and nothing can answer it
    own_redis.kill()
    clicking.join()
    assert answers == ["unknown"]
    own_redis.start()
    wait_until(lambda: one.status("/readyz") == 200)
    mine = one.get(f"/seckill/{offer_id}/mine", "amy").json()
    assert (mine["outcome"], mine["tickets"]) == ("pending", [])
    settled_at_ms = datetime.fromisoformat(mine["settled_at"]).timestamp() * 1000
    # After the deadline there is no truth to tell before the ledger has been asked,
    wait_until(lambda: one.get(f"/seckill/{offer_id}/mine", "amy").status_code == 503)
    assert redis_now_ms(own_client) > settled_at_ms
    # and then there is.
    own_client.hset(keys.offer(offer_id), "run_id", offers.run_id(own_client))
    assert one.get(f"/seckill/{offer_id}/mine", "amy").json()["outcome"] == "none"
    assert sale.record("amy") == []


def test_unknown_when_the_answer_was_lost_and_mine_has_the_ticket(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=1)
    with LossyWay(own_redis) as way:
        one = start_gateway(way.url)
        assert one.outcome(offer_id, "zoe", quantity=2) == "limit_reached"
        way.losing = True
        assert one.outcome(offer_id) == "unknown"
        way.losing = False
        (ticket,) = sale.record("amy")
        wait_until(lambda: one.status("/readyz") == 200)
        path = f"/seckill/{offer_id}/mine"
        wait_until(lambda: one.get(path, "amy").status_code == 200)
        mine = one.get(path, "amy").json()
        assert [each["order_no"] for each in mine["tickets"]] == [ticket.order_no]
        # The winner whose reply was lost never hears that it is sold out.
        for _ in range(5):
            assert one.outcome(offer_id, "bob") == "sold_out"
            assert one.click(offer_id).json()["order_no"] == ticket.order_no


# Backlog.


def test_busy_above_the_backlog_limit_and_no_longer_when_the_writer_has_caught_up(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(own_redis.url, backlog_max="10", writer_batch="10")
    own_client.hset(keys.counters(0), mapping={"issued": 11, "committed": 0})
    wait_until(lambda: reasons(one) == ["11 winners wait for the order writer"])
    reply = one.click(offer_id)
    assert (reply.status_code, reply.json(), reply.headers["retry-after"]) == (503, {"outcome": "busy"}, "1")
    own_client.hset(keys.counters(0), "committed", 1)
    wait_until(lambda: reasons(one) == [])
    assert one.outcome(offer_id) == "won"


# Durability.


DISK = {
    "appendfsync": ("everysec", "always"),
    "appendonly": ("no", "yes"),
    "no-appendfsync-on-rewrite": ("yes", "no"),
}


def test_strict_does_not_sell_on_a_redis_that_may_forget(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    Sale.open(own_client, offer_id, stock=5)
    for setting, (bad, _) in DISK.items():
        own_client.config_set(setting, bad)
    one = start_gateway(own_redis.url, ready=False)
    wait_until(lambda: one.status("/healthz") == 200, within_s=20)
    wait_until(lambda: reasons(one) and "Redis does not keep" in reasons(one)[0])
    for setting, (bad, good) in DISK.items():
        assert any(f"set {setting} to {good} (it is {bad})" in reason for reason in reasons(one))
    assert one.outcome(offer_id) == "unavailable"
    # It is looked at again every few seconds.
    for setting, (_, good) in DISK.items():
        own_client.config_set(setting, good)
    wait_until(lambda: one.status("/readyz") == 200)
    assert one.outcome(offer_id) == "won"


def test_relaxed_sells_there(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    Sale.open(own_client, offer_id, stock=5)
    own_client.config_set("appendfsync", "everysec")
    own_client.config_set("maxmemory-policy", "allkeys-lru")
    one = start_gateway(own_redis.url, durability="relaxed")
    assert one.outcome(offer_id) == "won"


def test_where_sales_may_be_evicted_nothing_is_sold_even_relaxed(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    Sale.open(own_client, offer_id, stock=5)
    own_client.config_set("maxmemory-policy", "allkeys-lru")
    own_client.config_set("maxmemory", "100mb")
    one = start_gateway(own_redis.url, durability="relaxed", ready=False)
    wait_until(lambda: one.status("/healthz") == 200, within_s=20)
    wait_until(lambda: reasons(one) and "maxmemory-policy to noeviction" in reasons(one)[0])
    assert one.outcome(offer_id) == "unavailable"


def test_where_config_is_forbidden_the_operator_has_to_accept_it(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    Sale.open(own_client, offer_id, stock=5)
    own_client.acl_setuser(
        "gate", enabled=True, passwords=["+pw"], keys=["*"], categories=["+@all"], commands=["-config"]
    )
    url = own_redis.url.replace("redis://", "redis://gate:pw@")
    one = start_gateway(url, ready=False)
    wait_until(lambda: one.status("/healthz") == 200, within_s=20)
    wait_until(lambda: reasons(one) and "SECKILL_DURABILITY_UNVERIFIED=1" in reasons(one)[0])
    assert one.outcome(offer_id) == "unavailable"
    accepting = start_gateway(url, durability_unverified="1")
    assert accepting.outcome(offer_id) == "won"


def test_a_full_redis_is_unavailable_and_nothing_was_sold(
    start_gateway: StartGateway, own_redis: RedisServer, own_client: Redis, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(own_redis.url)
    assert one.outcome(offer_id) == "won"
    before = sale.everything()
    own_client.config_set("maxmemory", 1)
    assert one.outcome(offer_id, "bob") == "unavailable"
    assert one.outcome(offer_id) == "already_won"
    own_client.config_set("maxmemory", 0)
    assert sale.everything() == before
    assert one.outcome(offer_id, "bob") == "won"


# Redis forgets scripts; terms change while shoppers click.


def test_scripts_flushed_in_mid_sale_are_loaded_again(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=60)
    outcomes = []
    for number in range(60):
        if number % 20 == 10:
            redis.script_flush()
        outcomes.append(gateway.outcome(offer_id, f"s{number}"))
    assert outcomes == ["won"] * 60
    assert sale.number("left") == 0


def test_terms_that_change_while_shoppers_click(pair: Gateway, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=10_000)
    heard: list[tuple[str, int, int]] = []
    stop = threading.Event()

    def shopper(number: int) -> None:
        click = 0
        while not stop.is_set():
            click += 1
            version = sale.version
            said = pair.spread(offer_id, f"s{number}-{click}", 1)[0].json()
            heard.append((said["outcome"], version, said.get("price", 0)))

    threads = [threading.Thread(target=shopper, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    prices = {1: 9900}
    for version in range(2, 9):
        state = "paused" if version % 3 == 0 else "open"
        prices[version] = 9900 + version
        sale.set_terms(version=version, state=state, price=9900 + version, lease_ms=LEASE_MS)
        before = len(heard)
        wait_until(lambda before=before: len(heard) > before + 6)
    stop.set()
    for thread in threads:
        thread.join()
    assert {outcome for outcome, *_ in heard} == {"won", "paused"}
    # A click that began under one version is never sold at an older one's price.
    for outcome, version, price in heard:
        if outcome == "won":
            assert price >= prices[version]
    assert len({price for outcome, _, price in heard if outcome == "won"}) > 3
    assert len(sale.streamed()) == sum(outcome == "won" for outcome, *_ in heard)


def test_an_offer_that_is_removed_is_gone_and_may_come_back(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    Sale.open(redis, offer_id, stock=0)
    assert gateway.outcome(offer_id) == "sold_out"
    assert offers.remove(redis, offer_id, keys.FIRST_EPOCH)
    wait_until(lambda: gateway.outcome(offer_id) == "not_found")
    Sale.open(redis, offer_id, stock=1)
    assert gateway.outcome(offer_id) == "won"


def test_two_offers_at_once(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    sales = [Sale.open(redis, f"{offer_id}-{number}", stock=15) for number in range(2)]
    heard: dict[str, list[str]] = {sale.id: [] for sale in sales}

    def crowd(sale: Sale, part: int) -> None:
        for number in range(10):
            heard[sale.id].append(gateway.outcome(sale.id, f"s{part}-{number}"))

    threads = [threading.Thread(target=crowd, args=(sale, part)) for sale in sales for part in range(3)]
    for thread in threads:
        thread.start()
    sales[0].set_terms(version=2, price=1)
    for thread in threads:
        thread.join()
    for sale in sales:
        assert sorted(heard[sale.id]) == ["sold_out"] * 15 + ["won"] * 15
        units = sorted(int(ticket.split(b",")[1]) for _, ticket in sale.streamed())
        assert units == list(range(1, 16))

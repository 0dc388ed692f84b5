"""Given clicks that were sent and not answered, every worker says the same of them: pending, then the truth."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest
from redis import Redis

from gateway import keys
from tests.conftest import RedisServer, wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.lossy import LossyWay
from tests.gateway.serving import Gateway, bearer
from tests.lua.calling import Sale, redis_now_ms


@pytest.fixture
def own_client(own_redis: RedisServer) -> Iterator[Redis]:
    client = own_redis.client()
    yield client
    client.close()


@pytest.fixture
def way(own_redis: RedisServer) -> Iterator[LossyWay]:
    with LossyWay(own_redis) as way:
        yield way


def mine_everywhere(gateway: Gateway, offer: str, sub: str = "amy") -> list[dict[str, Any]]:
    """What `mine` says over connections of their own, so that all workers are asked."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=gateway.url, timeout=10, verify=False, limits=limits) as client:
        return [client.get(f"/seckill/{offer}/mine", headers=bearer(sub)).json() for _ in range(12)]


@contextmanager
def click_under_way(gateway: Gateway, offer: str, way: LossyWay) -> Iterator[list[dict[str, Any]]]:
    """A click that has left its worker and not arrived at Redis; the list gets its answer."""
    answers: list[dict[str, Any]] = []
    way.holding = True
    clicking = threading.Thread(target=lambda: answers.append(gateway.click(offer).json()))
    clicking.start()
    wait_until(lambda: way.held == 1)
    yield answers
    clicking.join()


def test_a_click_cut_off_is_pending_on_every_worker_until_its_deadline_and_then_none(
    start_gateway: StartGateway, own_client: Redis, way: LossyWay, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(way.url, workers=2, click_timeout_ms="2500")
    assert {reply.json()["outcome"] for reply in one.spread(offer_id, "zoe", 8)} == {"won", "already_won"}
    with click_under_way(one, offer_id, way) as answers:
        way.reset_held()
    assert [answer["outcome"] for answer in answers] == ["unknown"]
    said = mine_everywhere(one, offer_id)
    assert {(each["outcome"], each.get("settled_at")) for each in said} == {("pending", answers[0]["settled_at"])}
    # Others are not pending.
    assert {each["outcome"] for each in mine_everywhere(one, offer_id, "bob")} == {"none"}
    settled_at_ms = datetime.fromisoformat(answers[0]["settled_at"]).timestamp() * 1000
    wait_until(lambda: redis_now_ms(own_client) > settled_at_ms)
    assert {each["outcome"] for each in mine_everywhere(one, offer_id)} == {"none"}
    assert sale.record("amy") == []


def test_a_click_that_arrives_after_its_deadline_was_not_sold(
    start_gateway: StartGateway, own_client: Redis, way: LossyWay, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(way.url, workers=2)
    assert one.outcome(offer_id, "zoe") == "won"
    with click_under_way(one, offer_id, way) as answers:
        wait_until(lambda: answers)
        # It is told after the deadline, so there is nothing to wait for.
        assert answers[0]["outcome"] == "unknown"
        assert {each["outcome"] for each in mine_everywhere(one, offer_id)} == {"none"}
        way.release()
    wait_until(lambda: one.outcome(offer_id, "bob") in {"won", "already_won"})
    assert {each["outcome"] for each in mine_everywhere(one, offer_id)} == {"none"}
    assert sale.record("amy") == []


def test_a_click_whose_answer_was_lost_has_its_ticket_on_every_worker(
    start_gateway: StartGateway, own_client: Redis, way: LossyWay, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(way.url, workers=2)
    assert one.outcome(offer_id, "zoe") == "won"
    way.losing = True
    assert one.outcome(offer_id) == "unknown"
    way.losing = False
    (ticket,) = sale.record("amy")
    wait_until(lambda: all(each["outcome"] == "won" for each in mine_everywhere(one, offer_id)))
    numbers = {mine["tickets"][0]["order_no"] for mine in mine_everywhere(one, offer_id)}
    assert numbers == {ticket.order_no}


def test_a_later_deadline_stays(
    own_client: Redis, start_gateway: StartGateway, way: LossyWay, offer_id: str
) -> None:
    # Given two workers that both wait for the same shopper's clicks, the later deadline counts.
    Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(way.url, click_timeout_ms="1500")
    assert one.outcome(offer_id, "zoe") == "won"
    later_ms = redis_now_ms(own_client) + 60_000
    own_client.zadd(keys.unsettled(offer_id), {"amy": later_ms})
    with click_under_way(one, offer_id, way):
        way.reset_held()
    mine = one.get(f"/seckill/{offer_id}/mine", "amy").json()
    assert mine["outcome"] == "pending"
    assert datetime.fromisoformat(mine["settled_at"]).timestamp() * 1000 == later_ms


def test_without_a_way_nothing_is_sent_and_nothing_is_sold(
    start_gateway: StartGateway, own_client: Redis, way: LossyWay, offer_id: str
) -> None:
    sale = Sale.open(own_client, offer_id, stock=5)
    one = start_gateway(way.url)
    assert one.outcome(offer_id, "zoe") == "won"
    way.refuse()
    wait_until(lambda: one.status("/readyz") == 503)
    assert one.outcome(offer_id) == "unavailable"
    assert one.get(f"/seckill/{offer_id}/mine", "amy").status_code == 503
    assert sale.number("left") == 4

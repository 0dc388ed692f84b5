"""Given a click over HTTP, its answer is the row of the outcome table, to the field and the header."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from redis import Redis

from gateway import keys
from gateway.receipts import ReceiptSigner
from tests.conftest import wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.serving import ADMIN_KEY, LEASE_MS, Gateway, bearer
from tests.lua.calling import HOUR_MS, Sale, redis_now_ms

TICKET = {
    "outcome", "order_no", "offer", "sku", "units", "quantity", "price", "currency", "pay_by", "durable", "receipt",
}  # fmt: skip
CARD = {"name": "Kettle", "sku": "kettle", "currency": "TWD", "demo": False}


def check(reply: httpx.Response, outcome: str, status: int, *extra: str) -> dict[str, Any]:
    """The word, the status, exactly these fields, and what every reply to a click carries."""
    assert (reply.status_code, reply.json()["outcome"]) == (status, outcome)
    assert set(reply.json()) == {"outcome", *extra}
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["content-type"] == "application/json"
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert "transfer-encoding" not in reply.headers
    said: dict[str, Any] = reply.json()
    return said


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    return Sale.open(redis, offer_id, stock=2, card=CARD)


def test_won_and_already_won(gateway: Gateway, sale: Sale) -> None:
    before = time.time()
    won = check(gateway.click(sale.id), "won", 201, *TICKET)
    assert (won["offer"], won["sku"], won["units"], won["quantity"]) == (sale.id, "kettle", [1], 1)
    assert (won["price"], won["currency"], won["durable"]) == (9900, "TWD", True)
    assert re.fullmatch("[0-9a-f]{20}", won["order_no"])
    assert 899 < datetime.fromisoformat(won["pay_by"]).timestamp() - before < 910
    again = check(gateway.click(sale.id), "already_won", 200, *TICKET)
    assert again | {"outcome": "won"} == won


def test_the_receipt_says_what_the_ticket_says(gateway: Gateway, sale: Sale) -> None:
    won = gateway.click(sale.id, '王 "小" 明').json()
    (ticket,) = sale.record('王 "小" 明')
    assert ReceiptSigner((ADMIN_KEY.encode(),)).verify(won["receipt"]) == {
        "offer": sale.id,
        "shopper": '王 "小" 明',
        "order_no": won["order_no"],
        "units": won["units"],
        "price": won["price"],
        "currency": "TWD",
        "pay_by_ms": ticket.pay_by_ms,
        "won_at_ms": ticket.won_at_ms,
    }


def test_a_ticket_keeps_its_receipt_when_recovery_has_raised_the_epoch(
    gateway: Gateway, redis: Redis, sale: Sale
) -> None:
    won = gateway.click(sale.id).json()
    # Given the same buyers under the next epoch, as recovery writes them,
    redis.rename(keys.buyers(sale.id, 1), keys.buyers(sale.id, 2))
    redis.hset(keys.offer(sale.id), "epoch", 2)
    # when the shopper asks again, then nothing has changed.
    mine = gateway.get(f"/seckill/{sale.id}/mine", "amy").json()
    assert [ticket["receipt"] for ticket in mine["tickets"]] == [won["receipt"]]
    assert gateway.click(sale.id).json() | {"outcome": "won"} == won


def test_relaxed_says_that_a_win_is_not_durable_and_instants_are_the_shops(pair: Gateway, sale: Sale) -> None:
    won = pair.click(sale.id).json()
    assert won["durable"] is False
    assert datetime.fromisoformat(won["pay_by"]).utcoffset() == timedelta(hours=8)


def test_sold_out_from_redis_and_from_the_shield(gateway: Gateway, sale: Sale) -> None:
    winners = [gateway.click(sale.id, sub).json() for sub in ("amy", "bob")]
    for click in range(20):
        assert check(gateway.click(sale.id, f"s{click}"), "sold_out", 409, "left")["left"] == 0
    # A winner hears of the ticket all the same.
    assert gateway.click(sale.id, "bob").json() | {"outcome": "won"} == winners[1]


def test_sold_out_with_fewer_left_than_asked_for(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    Sale.open(redis, offer_id, stock=2, limit=3, card=CARD)
    reply = gateway.click(offer_id, quantity=3, key="k")
    assert check(reply, "sold_out", 409, "left")["left"] == 2
    assert gateway.click(offer_id, quantity=2, key="k").json()["units"] == [1, 2]


def test_sold_out_tells_when_units_may_return(gateway: Gateway, sale: Sale) -> None:
    for sub in ("amy", "bob"):
        gateway.click(sale.id, sub)
    assert gateway.outcome(sale.id, "cleo") == "sold_out"
    # When the order writer notes it later on, later refusals say so.
    may_return_at_ms = redis_now_ms(sale.client) + HOUR_MS
    sale.client.hset(keys.offer(sale.id), "may_return_at_ms", may_return_at_ms)
    wait_until(lambda: "may_return_at" in gateway.click(sale.id, "cleo").json())
    said = check(gateway.click(sale.id, "cleo"), "sold_out", 409, "left", "may_return_at")
    assert datetime.fromisoformat(said["may_return_at"]).timestamp() * 1000 == may_return_at_ms


def test_limit_reached(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    Sale.open(redis, offer_id, stock=9, limit=3, card=CARD)
    assert gateway.outcome(offer_id, quantity=2, key="k1") == "won"
    said = check(gateway.click(offer_id, quantity=2, key="k2"), "limit_reached", 409, "limit", "held")
    assert (said["limit"], said["held"]) == (3, 2)


def test_not_started_from_redis_and_from_the_shield(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    starts_at_ms = redis_now_ms(redis) + 90_000
    Sale.open(redis, offer_id, stock=1, starts_at_ms=starts_at_ms)
    for click in range(5):
        reply = gateway.click(offer_id, f"s{click}")
        said = check(reply, "not_started", 403, "starts_at", "server_time")
        assert datetime.fromisoformat(said["starts_at"]).timestamp() * 1000 == starts_at_ms
        assert abs(datetime.fromisoformat(said["server_time"]).timestamp() * 1000 - redis_now_ms(redis)) < 200
        assert 88 <= int(reply.headers["retry-after"]) <= 90


def test_it_opens_on_time(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    starts_at_ms = redis_now_ms(redis) + 300
    sale = Sale.open(redis, offer_id, stock=1, starts_at_ms=starts_at_ms)
    # Given clicks all the time, nobody wins early and the first one after the opening wins.
    wait_until(lambda: gateway.outcome(offer_id) != "not_started")
    (ticket,) = sale.record("amy")
    assert starts_at_ms <= ticket.won_at_ms < starts_at_ms + 100


def test_ended_by_the_clock_and_by_the_operator(gateway: Gateway, sale: Sale, redis: Redis) -> None:
    won = gateway.click(sale.id).json()
    sale.set_terms(version=2, state="terminated", card=CARD)
    for _ in range(3):
        said = check(gateway.click(sale.id, "bob"), "ended", 410, "ended_at")
    assert abs(datetime.fromisoformat(said["ended_at"]).timestamp() * 1000 - redis_now_ms(redis)) < 5000
    again = gateway.click(sale.id)
    assert again.json() | {"outcome": "won"} == won
    other = Sale.open(redis, f"{sale.id}2", stock=1, ends_at_ms=redis_now_ms(redis) - 5)
    check(gateway.click(other.id, "bob"), "ended", 410, "ended_at")


def test_paused_and_resumed(gateway: Gateway, sale: Sale) -> None:
    assert gateway.outcome(sale.id) == "won"
    sale.set_terms(version=2, state="paused")
    for _ in range(3):
        check(gateway.click(sale.id, "bob"), "paused", 403)
    assert gateway.outcome(sale.id) == "already_won"
    sale.set_terms(version=3, lease_ms=LEASE_MS)
    assert gateway.outcome(sale.id, "bob") == "won"


def test_not_eligible(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    Sale.open(redis, offer_id, stock=1, card=CARD | {"audience": {"kind": "members", "levels": [2]}})
    check(gateway.click(offer_id), "not_eligible", 403)
    check(gateway.click(offer_id, headers=bearer("bob", level=2)), "won", 201, *TICKET)


def test_rate_limited_per_shopper_by_all_workers_together(pair: Gateway, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=0, card=CARD)
    # Given an offer with stock, so that no refusal is on lease, and a shopper who asks for too many.
    sale.adjust(1)
    sale.wait_for_window(1000, within_ms=300)
    replies = pair.spread(offer_id, "amy", 9, json={"quantity": 2})
    assert [reply.json()["outcome"] for reply in replies[:5]] == ["limit_reached"] * 5
    for reply in replies[5:]:
        said = check(reply, "rate_limited", 429, "retry_after_ms")
        assert 1 <= said["retry_after_ms"] <= 2000
        assert int(reply.headers["retry-after"]) == -(-said["retry_after_ms"] // 1000)
    assert pair.outcome(offer_id, "bob") == "won"


def test_rate_limited_per_address(start_gateway: StartGateway, sale: Sale) -> None:
    one = start_gateway(rate_per_ip="3/m", trusted_proxies="127.0.0.0/8")
    for click in range(3):
        assert one.outcome(sale.id, f"s{click}", headers={"x-forwarded-for": "10.0.0.1"}) != "rate_limited"
    reply = one.click(sale.id, "s4", headers={"x-forwarded-for": "10.9.9.9, 10.0.0.1"})
    assert 50_000 < check(reply, "rate_limited", 429, "retry_after_ms")["retry_after_ms"] <= 60_000
    assert one.outcome(sale.id, "s5", headers={"x-forwarded-for": "10.0.0.2"}) == "sold_out"


def test_unauthenticated(gateway: Gateway, sale: Sale) -> None:
    reply = gateway.client.post(f"/seckill/{sale.id}")
    check(reply, "unauthenticated", 401, "detail")
    assert reply.headers["www-authenticate"] == "Bearer"


def test_not_found(gateway: Gateway) -> None:
    check(gateway.click("no-such-offer"), "not_found", 404, "detail")


def test_bad_request(gateway: Gateway, sale: Sale) -> None:
    check(gateway.click(sale.id, quantity=0), "bad_request", 400, "detail")


def test_too_large(gateway: Gateway, sale: Sale) -> None:
    check(gateway.click(sale.id, content=b"x" * 2000), "too_large", 413, "detail")


# Several to a shopper.


def test_a_limit_above_one_needs_a_key_and_keeps_it(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=9, limit=5, card=CARD)
    for headers in ({}, {"idempotency-key": ""}, {"idempotency-key": "k" * 65}):
        check(gateway.click(offer_id, headers=headers), "bad_request", 400, "detail")
    two = [(name, value) for name, value in bearer().items()] + [("idempotency-key", "a"), ("idempotency-key", "b")]
    check(gateway.client.post(f"/seckill/{offer_id}", headers=two), "bad_request", 400, "detail")
    assert sale.record("amy") == []
    won = gateway.click(offer_id, quantity=2, key="k , | .").json()
    again = check(gateway.click(offer_id, quantity=2, key="k , | ."), "already_won", 200, *TICKET)
    assert again | {"outcome": "won"} == won
    check(gateway.click(offer_id, quantity=3, key="k , | ."), "bad_request", 400, "detail")
    other = gateway.click(offer_id, quantity=3, key="k" * 64).json()
    assert (won["units"], won["quantity"], other["units"], other["quantity"]) == ([1, 2], 2, [3, 4, 5], 3)
    assert gateway.outcome(offer_id, quantity=2, key="k , | .") == "already_won"


def test_with_a_limit_of_one_the_key_is_ignored(gateway: Gateway, sale: Sale) -> None:
    assert gateway.outcome(sale.id, key="x" * 200) == "won"
    assert gateway.outcome(sale.id, key="other") == "already_won"
    assert gateway.outcome(sale.id, "bob", quantity=2) == "limit_reached"


def test_a_campaign_is_clickable_at_the_next_request(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    assert gateway.outcome(offer_id) == "not_found"
    Sale.open(redis, offer_id, stock=1, card=CARD)
    assert gateway.outcome(offer_id) == "won"


def test_clicks_are_counted_for_the_report(gateway: Gateway, sale: Sale) -> None:
    for sub in ("amy", "bob", "cleo", "dan", "amy"):
        gateway.click(sale.id, sub)
    gateway.click(sale.id, "eve", quantity=0)

    def counts() -> dict[bytes, bytes]:
        found: Any = sale.client.hgetall(keys.clicks(sale.id))
        return {name: int(count) for name, count in found.items()}

    expected = {b"won": 2, b"sold_out": 2, b"already_won": 1, b"bad_request": 1}
    wait_until(lambda: counts() == expected, what="the counts")

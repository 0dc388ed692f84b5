"""Given an open page, it hears how an offer sells, and costs nobody a click."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.conftest import wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.serving import LEASE_MS, Gateway
from tests.gateway.watching import Watcher
from tests.lua.calling import Sale


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    return Sale.open(redis, offer_id, stock=4)


@pytest.fixture
def watchers(gateway: Gateway, sale: Sale) -> Iterator[list[Watcher]]:
    watching = [Watcher(gateway, sale.id) for _ in range(3)]
    yield watching
    for watcher in watching:
        watcher.close()


def test_watchers_hear_how_an_offer_sells(watchers: list[Watcher], sale: Sale) -> None:
    for watcher in watchers:
        assert b"content-type: text/event-stream" in watcher.head
        assert b"cache-control: no-store" in watcher.head
        assert watcher.next() == {"left": 4, "sold": 0, "state": "running"}
    sale.admit("amy", "bob")
    assert [watcher.next() for watcher in watchers] == [{"left": 2, "sold": 2, "state": "running"}] * 3
    sale.admit("cleo", "dan")
    assert [watcher.next() for watcher in watchers] == [{"left": 0, "sold": 4, "state": "sold_out"}] * 3
    sale.adjust(2, lease_ms=LEASE_MS)
    assert watchers[0].next()["left"] == 2
    sale.set_terms(version=2, state="terminated")
    assert watchers[0].next()["state"] == "ended"


def test_watchers_that_leave_are_counted_no_more(gateway: Gateway, watchers: list[Watcher]) -> None:
    def count() -> float:
        return next(value for name, value in gateway.metrics().items() if name.startswith("seckill_watchers"))

    wait_until(lambda: count() == 3)
    for watcher in watchers[:2]:
        watcher.close()
    wait_until(lambda: count() == 1)


def test_headers_of_a_stream_do_not_pile_up(gateway: Gateway, sale: Sale) -> None:
    heads = []
    for _ in range(3):
        watcher = Watcher(gateway, sale.id)
        heads.append(watcher.head)
        watcher.close()
    assert [head.count(b"content-security-policy") for head in heads] == [1, 1, 1]


def test_watching_an_offer_that_is_not_there(gateway: Gateway) -> None:
    assert gateway.get("/seckill/no-such-offer/events").status_code == 404


def test_a_head_request_does_not_open_a_stream(gateway: Gateway, sale: Sale) -> None:
    reply = gateway.client.head(f"/seckill/{sale.id}/events", timeout=3)
    assert reply.status_code in {200, 405}


def test_too_many_watchers_are_sent_away(start_gateway: StartGateway, sale: Sale) -> None:
    one = start_gateway(watchers_max="1")
    watcher = Watcher(one, sale.id)
    assert watcher.next()["left"] == 4
    reply = one.get(f"/seckill/{sale.id}/events")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    watcher.close()

    def let_in() -> bool:
        another = Watcher(one, sale.id)
        another.close()
        return another.head.startswith(b"http/1.1 200")

    wait_until(let_in)

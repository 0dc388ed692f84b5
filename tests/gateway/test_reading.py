"""Given offers, shoppers and pages can read what is on sale, what they hold, and how it sells."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.conftest import wait_until
from tests.gateway.serving import Gateway, bearer, token
from tests.lua.calling import HOUR_MS, Sale, redis_now_ms

STATUS = {
    *("id", "state", "starts_at", "ends_at", "server_time", "sku", "name", "image", "price", "original_price"),
    *("stock", "left", "sold_percent", "limit", "slogan"),
}
CARD = {
    "name": "水壺",
    "sku": "kettle",
    "currency": "TWD",
    "image": "https://shop.example/k.jpg",
    "original_price": 19900,
    "slogan": "Two hours only",
}


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    return Sale.open(redis, offer_id, stock=4, card=CARD)


# One offer.


def test_an_offer_shows_all_that_a_page_needs(gateway: Gateway, sale: Sale) -> None:
    gateway.click(sale.id)
    wait_until(lambda: gateway.get(f"/seckill/{sale.id}").json()["left"] == 3)
    said = gateway.get(f"/seckill/{sale.id}").json()
    assert set(said) >= STATUS
    shown = {name: said[name] for name in ("id", "state", "name", "image", "price", "original_price", "slogan")}
    assert shown == {name: CARD[name] for name in ("name", "image", "original_price", "slogan")} | {
        "id": sale.id,
        "state": "running",
        "price": 9900,
    }
    assert (said["stock"], said["left"], said["sold_percent"], said["limit"]) == (4, 3, 25, 1)


def test_an_offer_is_never_shown_older_than_a_second(gateway: Gateway, sale: Sale) -> None:
    path = f"/seckill/{sale.id}"
    assert gateway.get(path).json()["left"] == 4
    sale.admit("amy")
    changed_s = time.monotonic()
    wait_until(lambda: gateway.get(path).json()["left"] == 3)
    assert time.monotonic() - changed_s < 1


def test_an_unchanged_offer_is_304(gateway: Gateway, sale: Sale) -> None:
    path = f"/seckill/{sale.id}"
    first = gateway.get(path)
    assert first.headers["cache-control"] == "no-cache"
    for tags in (first.headers["etag"], f'"other", {first.headers["etag"]}'):
        again = gateway.get(path, headers={"if-none-match": tags})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert gateway.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    sale.admit("amy")
    wait_until(lambda: gateway.get(path, headers={"if-none-match": first.headers["etag"]}).status_code == 200)


def test_the_states_of_an_offer(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    now = redis_now_ms(redis)
    later = {"starts_at_ms": now + HOUR_MS, "ends_at_ms": now + 2 * HOUR_MS}
    for number, (state, stock, terms) in enumerate(
        [
            ("running", 1, {}),
            ("sold_out", 0, {}),
            ("paused", 1, {"state": "paused"}),
            ("paused", 1, {"state": "paused"} | later),
            ("upcoming", 1, later),
            ("ended", 1, {"ends_at_ms": now - 1}),
            ("ended", 1, {"state": "terminated"}),
            ("ended", 0, {"state": "terminated"}),
        ]
    ):
        Sale.open(redis, f"{offer_id}-{number}", stock=stock, **terms)
        assert gateway.get(f"/seckill/{offer_id}-{number}").json()["state"] == state
    other = Sale.open(redis, f"{offer_id}-x", stock=1)
    redis.hset(other.named()["offer"], "run_id", "another")
    assert gateway.get(f"/seckill/{other.id}").json()["state"] == "unavailable"


def test_an_offer_without_stock_shows_no_nonsense(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    Sale.open(redis, offer_id, stock=0)
    assert gateway.get(f"/seckill/{offer_id}").json()["sold_percent"] == 100


# The list.


@pytest.fixture
def several(gateway: Gateway, redis: Redis, offer_id: str) -> list[str]:
    """Offers of one category, in the order of the list."""
    now = redis_now_ms(redis)
    card = {"category": offer_id, "session": "noon"}
    made = [
        ("b-running", 1, {"starts_at_ms": now - 2000}),
        ("a-running", 1, {"starts_at_ms": now - 1000}),
        ("z-running", 1, {"starts_at_ms": now - 1000}),
        ("sold-out", 0, {}),
        ("paused", 1, {"state": "paused"}),
        ("upcoming", 1, {"starts_at_ms": now + HOUR_MS, "ends_at_ms": now + 2 * HOUR_MS}),
        ("ended", 1, {"state": "terminated", "card": card | {"session": "night"}}),
    ]
    for name, stock, terms in made:
        Sale.open(redis, f"{offer_id}-{name}", stock=stock, **({"card": card} | terms))
    wait_until(lambda: len(gateway.get(f"/seckill?category={offer_id}&limit=500").json()["items"]) == len(made))
    return [f"{offer_id}-{name}" for name, *_ in made]


def ids(reply: httpx.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-length"]
    return [item["id"] for item in reply.json()["items"]]


def test_the_list_begins_with_what_runs(gateway: Gateway, several: list[str], offer_id: str) -> None:
    reply = gateway.get(f"/seckill?category={offer_id}&limit=500")
    assert ids(reply) == several
    assert reply.json()["next"] is None
    assert list(reply.json()["items"][0])[:2] == ["id", "state"]
    assert set(reply.json()["items"][0]) >= STATUS


def test_the_list_is_filtered(gateway: Gateway, several: list[str], offer_id: str) -> None:
    assert ids(gateway.get(f"/seckill?category={offer_id}&state=running")) == several[:3]
    assert ids(gateway.get(f"/seckill?category={offer_id}&state=sold_out")) == [several[3]]
    assert ids(gateway.get(f"/seckill?category={offer_id}&session=night")) == [several[6]]
    assert ids(gateway.get(f"/seckill?category={offer_id}&session=noon&state=ended")) == []
    assert ids(gateway.get("/seckill?category=nothing")) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_the_list_is_paged(gateway: Gateway, several: list[str], offer_id: str, limit: int) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        reply = gateway.get(f"/seckill?category={offer_id}&limit={limit}{more}")
        assert len(ids(reply)) <= limit
        seen += ids(reply)
        cursor = reply.json()["next"]
    assert seen == several


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=-1", "limit=x", "limit=1.0", "limit=", "limit=00001500", "limit=%C2%B2"),
        *("state=open", "state=", "page=2", "limit=1&limit=2", "cursor=x", "cursor=", "cursor=e30", "cursor=W10"),
        *("cursor=WzEsMiwzXQ", "cursor=%ff", "cursor=" + "a" * 3000, "q=%00"),
    ],
)
def test_a_query_that_is_none(gateway: Gateway, query: str) -> None:
    reply = gateway.get(f"/seckill?{query}")
    assert (reply.status_code, reply.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("path", ["", "/mine", "/events"])
def test_unknown_queries_are_refused_everywhere(gateway: Gateway, sale: Sale, path: str) -> None:
    assert gateway.get(f"/seckill/{sale.id}{path}?x=1", "amy").status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/config.json"])
def test_health_takes_no_query(gateway: Gateway, path: str) -> None:
    assert gateway.get(path).status_code == 200
    assert gateway.get(f"{path}?x").status_code == 400


# Mine.


def test_mine_shows_the_tickets_of_a_winner(pair: Gateway, redis: Redis, offer_id: str) -> None:
    Sale.open(redis, offer_id, stock=9, limit=3, card=CARD)
    won = [pair.click(offer_id, quantity=quantity, key=key).json() for quantity, key in ((2, "a"), (1, "b"))]
    reply = pair.get(f"/seckill/{offer_id}/mine", "amy")
    for ticket in won:
        del ticket["outcome"]
    assert reply.json() == {"outcome": "won", "tickets": won, "orders_url": "https://orders.example/"}
    assert reply.headers["cache-control"] == "no-store"


def test_mine_of_somebody_who_won_nothing(gateway: Gateway, sale: Sale) -> None:
    gateway.click(sale.id, "amy")
    reply = gateway.get(f"/seckill/{sale.id}/mine", "bob")
    assert reply.json() == {"outcome": "none", "tickets": [], "orders_url": None}


def test_mine_needs_a_token_and_an_offer(gateway: Gateway, sale: Sale) -> None:
    assert gateway.get(f"/seckill/{sale.id}/mine").status_code == 401
    assert gateway.get("/seckill/no-such-offer/mine").status_code == 401
    assert gateway.get("/seckill/no-such-offer/mine", "amy").status_code == 404


# Demo.


def make_demo_token(gateway: Gateway, name: Any) -> httpx.Response:
    return gateway.client.post("/demo/token", json={"name": name})


def test_a_demo_hands_out_tokens_for_demo_offers_only(pair: Gateway, sale: Sale, offer_id: str) -> None:
    demo = Sale.open(sale.client, f"{offer_id}-demo", stock=4, card=CARD | {"demo": True})
    reply = make_demo_token(pair, "  Amy  王 ")
    assert (reply.status_code, reply.json()["sub"]) == (201, "demo-amy-王")
    headers = {"authorization": f"Bearer {reply.json()['token']}"}
    assert pair.click(demo.id, headers=headers).json()["outcome"] == "won"
    assert pair.click(sale.id, headers=headers).json() == {"outcome": "not_eligible"}
    assert pair.get(f"/seckill/{demo.id}/mine", headers=headers).json()["outcome"] == "won"
    # Shoppers with a token of the shop buy there too.
    assert pair.outcome(demo.id, "bob") == "won"


def test_a_gateway_that_is_no_demo_knows_no_demo_tokens(gateway: Gateway, pair: Gateway, sale: Sale) -> None:
    assert make_demo_token(gateway, "amy").status_code == 404
    headers = {"authorization": f"Bearer {make_demo_token(pair, 'amy').json()['token']}"}
    assert gateway.click(sale.id, headers=headers).status_code == 401


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\x00b", 1, None, ["amy"]])
def test_names_that_are_refused(pair: Gateway, name: Any) -> None:
    reply = make_demo_token(pair, name)
    assert (reply.status_code, reply.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"[1]", b"1", b"null", b'"amy"', b"{}", b'{"name":"amy","x":1}', b"\xff", b"x" * 2000]
)
def test_bodies_that_are_no_name(pair: Gateway, body: bytes) -> None:
    assert pair.client.post("/demo/token", content=body).status_code == 400


# The page, and who may use it.


def test_the_page_is_cacheable_and_names_no_shopper(gateway: Gateway) -> None:
    reply = gateway.get("/")
    assert reply.status_code == 200
    assert "text/html" in reply.headers["content-type"]
    assert reply.headers["cache-control"] == "public, max-age=60"
    for path in ("/static/sale.js", "/static/sale.css"):
        assert gateway.get(path).status_code == 200


def test_the_page_knows_its_shop(gateway: Gateway, pair: Gateway) -> None:
    assert pair.get("/config.json").json() == {
        "demo": True,
        "allowed_origins": ["https://shop.example", "https://other.example"],
        "currency": "TWD",
        "timezone": "Asia/Taipei",
        "orders_url": "https://orders.example/",
    }
    assert gateway.get("/config.json").json()["demo"] is False


@pytest.mark.parametrize("path", ["/", "/seckill", "/static/sale.js", "/nothing", "/healthz"])
def test_a_strict_policy_goes_with_every_page(gateway: Gateway, pair: Gateway, path: str) -> None:
    policy = gateway.get(path).headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert policy.endswith("frame-ancestors 'self'")
    assert gateway.get(path).headers["x-content-type-options"] == "nosniff"
    framed = pair.get(path).headers["content-security-policy"]
    assert framed.endswith("frame-ancestors 'self' https://shop.example https://other.example")


def test_other_origins_are_allowed_only_when_configured(gateway: Gateway, pair: Gateway, sale: Sale) -> None:
    def preflight(one: Gateway, origin: str) -> httpx.Response:
        wanted = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        return one.client.options(f"/seckill/{sale.id}", headers={"origin": origin} | wanted)

    allowed = preflight(pair, "https://shop.example")
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    assert preflight(pair, "https://evil.example").status_code == 400
    assert preflight(gateway, "https://shop.example").status_code == 405
    assert (
        "access-control-allow-origin"
        not in gateway.click(sale.id, headers={"origin": "https://shop.example"}).headers
    )


def test_a_cached_refusal_carries_the_origin_of_its_own_request_only(pair: Gateway, sale: Sale) -> None:
    # Given refusals that are encoded once and repeated, no request's headers stick to them.
    def refused(origin: str | None) -> httpx.Headers:
        headers = {"authorization": bearer()["authorization"]} | ({"origin": origin} if origin else {})
        return pair.client.post("/seckill/no-such-offer", headers=headers).headers

    for _ in range(3):
        for origin in ("https://shop.example", "https://other.example"):
            headers = refused(origin)
            assert headers["access-control-allow-origin"] == origin
            assert headers["vary"] == "Origin"
        assert "access-control-allow-origin" not in refused("https://evil.example")
        assert "access-control-allow-origin" not in refused(None)
        assert refused(None).get("vary", "Origin") == "Origin"


# Health.


def test_alive_and_ready(gateway: Gateway, pair: Gateway) -> None:
    assert gateway.get("/healthz").json() == {"status": "ok"}
    assert gateway.get("/readyz").json() == {"status": "ready", "reasons": [], "durability": "strict"}
    assert pair.get("/readyz").json()["durability"] == "relaxed"


def test_a_slow_reader_keeps_nobody_waiting(gateway: Gateway, sale: Sale) -> None:
    # Given clients that send half a request and fall silent, others are answered.
    silent = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(50)]
    for connection in silent:
        connection.sendall(
            b"POST /seckill/" + sale.id.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        )
    assert gateway.outcome(sale.id) == "won"
    for connection in silent:
        connection.close()


def test_a_client_that_leaves_does_not_lose_its_admission(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=40)

    def click_and_leave(number: int) -> None:
        with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
            head = f"POST /seckill/{offer_id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            connection.sendall(f"{head}{token(f's{number}')}\r\n\r\n".encode())

    threads = [threading.Thread(target=click_and_leave, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whether a click was decided or never read, the shopper can find out, and both agree with Redis.
    wait_until(lambda: len(sale.streamed()) + sale.number("left") == 40)
    for number in range(40):
        mine = gateway.get(f"/seckill/{offer_id}/mine", f"s{number}").json()
        assert mine["outcome"] == ("won" if sale.record(f"s{number}") else "none")
    assert gateway.outcome(offer_id, "s0") in {"won", "already_won"}

"""Given input that no good program sends, the answer is clear, the table's, and nothing has happened."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from gateway.serving import HEAD_MAX_BYTES
from tests.gateway.serving import Gateway, read_reply, token
from tests.lua.calling import Sale


@pytest.fixture
def sale(gateway: Gateway, redis: Redis, offer_id: str) -> Iterator[Sale]:
    """Five units; after the test the gateway still sells them, and nobody but amy holds one."""
    sale = Sale.open(redis, offer_id, stock=5)
    yield sale
    assert gateway.outcome(sale.id, "amy") in {"won", "already_won"}
    assert [shopper for shopper, _ in sale.streamed()] == [b"amy"]
    assert sale.number("left") == 4


def request(
    path: str, *, body: bytes = b"", sub: str | None = "bob", headers: bytes = b"", method: str = "POST"
) -> bytes:
    """The bytes of one request, with a true Content-Length."""
    lines = [f"{method} ".encode() + path.encode("latin-1") + b" HTTP/1.1", b"Host: x"]
    if sub is not None:
        lines.append(b"Authorization: Bearer " + token(sub).encode())
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, headers, b""]).replace(b"\r\n\r\n", b"\r\n") + b"\r\n" + body


def outcome(reply: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    status, headers, body = reply
    assert headers["cache-control"] == "no-store"
    assert int(headers["content-length"]) == len(body)
    return status, json.loads(body)["outcome"]


@pytest.mark.parametrize(
    "body",
    [
        '{"quantity": 0}',
        '{"quantity": -1}',
        '{"quantity": "x"}',
        '{"quantity": "1"}',
        '{"quantity": 1.0}',
        '{"quantity": 1e0}',
        '{"quantity": true}',
        '{"quantity": null}',
        '{"quantity": [1]}',
        '{"quantity": 1000000001}',
        '{"quantity": 99999999999999999999999999}',
        '{"Quantity": 1}',
        '{"quantity": 1, "colour": "red"}',
        '{"": 1}',
        "{",
        "[]",
        "1",
        "null",
        '"quantity"',
        "quantity=1",
        " ",
        "\x00",
        '{"quantity": 1}}',
        '{"a\ud83d": 1}'.encode("utf-8", "surrogatepass").decode("latin-1"),
        '{"quantity": NaN}',
    ],
)
def test_a_body_that_is_no_demand(gateway: Gateway, sale: Sale, body: str) -> None:
    reply = gateway.click(sale.id, "bob", content=body.encode("latin-1"))
    assert (reply.status_code, reply.json()["outcome"]) == (400, "bad_request")
    assert reply.json()["detail"]


def test_invalid_utf8_in_the_body(gateway: Gateway, sale: Sale) -> None:
    for body in (b"\xff\xfe", b'{"quantity": \xff}', b'{"\xc3\x28": 1}'):
        assert gateway.outcome(sale.id, "bob", content=body) == "bad_request"


def test_a_deeply_nested_body(gateway: Gateway, sale: Sale) -> None:
    assert gateway.outcome(sale.id, "bob", content=b"[" * 1000) == "bad_request"
    assert gateway.outcome(sale.id, "bob", content=b"[" * 500 + b"]" * 500) == "bad_request"


def test_a_quantity_of_a_billion(gateway: Gateway, sale: Sale) -> None:
    reply = gateway.click(sale.id, "bob", quantity=10**9)
    assert (reply.status_code, reply.json()) == (409, {"outcome": "limit_reached", "limit": 1, "held": 0})


def test_good_bodies(gateway: Gateway, sale: Sale) -> None:
    for body in (b"", b"{}", b'{"quantity": 1}', b' {"quantity":1} '):
        assert gateway.outcome(sale.id, "amy", content=body) in {"won", "already_won"}


def test_the_order_of_checks_is_size_token_offer_body(gateway: Gateway, sale: Sale) -> None:
    large, wrong = b"x" * 2000, b"{"

    def ask(offer: str, body: bytes, sub: str | None) -> tuple[int, str]:
        return outcome(gateway.raw(request(f"/seckill/{offer}", body=body, sub=sub))[0])

    assert ask("nothing", large, None) == (413, "too_large")
    assert ask(sale.id, large, "bob") == (413, "too_large")
    assert ask("nothing", wrong, None) == (401, "unauthenticated")
    assert ask(sale.id, wrong, None) == (401, "unauthenticated")
    assert ask("nothing", wrong, "bob") == (404, "not_found")
    assert ask(sale.id, wrong, "bob") == (400, "bad_request")
    sale.set_terms(version=2, state="paused")
    assert ask(sale.id, wrong, "bob") == (400, "bad_request")
    assert ask(sale.id, b"", "bob") == (403, "paused")
    sale.set_terms(version=3, lease_ms=200)


@pytest.mark.parametrize("size", [1025, 1_000_000])
def test_a_large_body_is_drained_and_the_connection_usable(gateway: Gateway, sale: Sale, size: int) -> None:
    path = f"/seckill/{sale.id}"
    both = request(path, body=b"x" * size) + request(path, sub="amy")
    replies = gateway.raw(both, replies=2)
    assert [outcome(reply) for reply in replies] == [(413, "too_large"), (201, "won")]


def test_a_large_body_without_a_declared_length(gateway: Gateway, sale: Sale) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    start = request(f"/seckill/{sale.id}").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    replies = gateway.raw(start + chunk * 30 + b"0\r\n\r\n" + request(f"/seckill/{sale.id}", sub="amy"), replies=2)
    assert [outcome(reply) for reply in replies] == [(413, "too_large"), (201, "won")]


def test_a_small_body_in_chunks(gateway: Gateway, sale: Sale) -> None:
    start = request(f"/seckill/{sale.id}", sub="amy").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    (reply,) = gateway.raw(start + b'8\r\n{"quanti\r\n7\r\nty": 1}\r\n0\r\n\r\n')
    assert outcome(reply) == (201, "won")


def test_the_largest_body_allowed(gateway: Gateway, sale: Sale) -> None:
    body = b'{"quantity": 1}'.ljust(1024)
    assert outcome(gateway.raw(request(f"/seckill/{sale.id}", body=body, sub="amy"))[0]) == (201, "won")


@pytest.mark.parametrize("name", [b"X-Long: ", b"Authorization: Bearer "])
def test_long_headers(gateway: Gateway, sale: Sale, name: bytes) -> None:
    def status(length: int) -> int:
        long = name + b"x" * length + b"\r\n"
        return gateway.raw(request(f"/seckill/{sale.id}", headers=long, sub=None))[0][0]

    assert status(HEAD_MAX_BYTES - 1024) == 401
    # The buffer grows by doubling, so a little more passes.
    assert status(2 * HEAD_MAX_BYTES) == 431


def test_http_2_is_not_spoken(gateway: Gateway, sale: Sale) -> None:
    # What a client sends first that knows of no other version (RFC 9113, 3.4), with empty SETTINGS.
    with pytest.raises(ConnectionError):
        gateway.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    upgrade = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    (reply,) = gateway.raw(request(f"/seckill/{sale.id}", headers=upgrade, sub="amy"))
    assert outcome(reply) == (201, "won")


NO_OFFERS = [
    *(
        "",
        "/",
        "%20",
        "%ff%fe",
        "%00",
        "\xff\xfe",
        "%c3%28",
        "%ed%a0%80",
        "%f0%9f%98%80",
        "王".encode().decode("latin-1"),
    ),
    *("..", "%2e%2e", "a%2fb", "x/", "x/mine", "A", "-a", "a:0", "*", "{s0}", "a" * 200),
]
PATHS = [f"/seckill/{name}" for name in NO_OFFERS]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_names_no_offer(gateway: Gateway, sale: Sale, path: str) -> None:
    ((status, headers, body),) = gateway.raw(request(path))
    # A path that is no text is refused by the HTTP server.
    if "\xff" in path and status == 400:
        return
    assert (status, json.loads(body)["outcome"]) == (404, "not_found")
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("rest", ["", "/mine", "/events"])
def test_reading_a_path_that_names_no_offer(gateway: Gateway, path: str, rest: str) -> None:
    ((status, headers, body),) = gateway.raw(request(path + rest, method="GET"))
    assert status in ({400, 404} if "\xff" in path else {200, 307, 401, 404}), body
    assert "content-length" in headers


def test_the_path_is_matched_exactly(gateway: Gateway, sale: Sale) -> None:
    for path in (f"/seckill/{sale.id}/", f"/seckill/{sale.id}?", f"/seckill/{sale.id}%20", f"//seckill/{sale.id}"):
        ((status, _, _),) = gateway.raw(request(path, sub="amy" if path.endswith("?") else "bob"))
        assert status in {201, 404, 405}
        assert (status == 201) == path.endswith("?")


SUBJECTS = [
    " ",
    "a b",
    '"',
    "'",
    "a|b",
    "a,b",
    "a.b",
    "a\\",
    "{}",
    "王",
    "😀",
    "é",
    "界" * 64,
    "x" * 64,
    "\u00a0",
    "demo-amy",
]


def test_odd_shoppers_are_kept_apart(gateway: Gateway, redis: Redis, offer_id: str) -> None:
    sale = Sale.open(redis, offer_id, stock=len(SUBJECTS))
    won = {sub: gateway.click(sale.id, sub).json() for sub in SUBJECTS}
    assert sorted(ticket["units"][0] for ticket in won.values()) == list(range(1, len(SUBJECTS) + 1))
    for sub in SUBJECTS:
        assert gateway.click(sale.id, sub).json() | {"outcome": "won"} == won[sub]
        mine = gateway.get(f"/seckill/{sale.id}/mine", sub).json()
        assert [ticket["order_no"] for ticket in mine["tickets"]] == [won[sub]["order_no"]]
    assert {shopper.decode() for shopper, _ in sale.streamed()} == set(SUBJECTS)


@pytest.mark.parametrize("sub", ["", "x" * 65, "a\nb", "a\x00b", "\x7f"])
def test_subjects_that_are_refused(gateway: Gateway, sale: Sale, sub: str) -> None:
    assert outcome(gateway.raw(request(f"/seckill/{sale.id}", sub=sub))[0]) == (401, "unauthenticated")


def test_two_authorizations_or_two_lengths_win_nothing_twice(gateway: Gateway, sale: Sale) -> None:
    twice = request(
        f"/seckill/{sale.id}", headers=b"Authorization: Bearer " + token("amy").encode() + b"\r\n", sub="amy"
    )
    assert outcome(gateway.raw(twice)[0])[1] in {"won", "already_won"}
    lengths = request(f"/seckill/{sale.id}", headers=b"Content-Length: 5\r\n")
    assert gateway.raw(lengths)[0][0] == 400


@pytest.mark.parametrize("query", ["quantity=2", "x", "=", "%00", "quantity=1&quantity=2"])
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_click_has_no_query(gateway: Gateway, sale: Sale, query: str, body: bytes) -> None:
    said = outcome(gateway.raw(request(f"/seckill/{sale.id}?{query}", sub="amy", body=body))[0])
    assert said == (400, "bad_request")
    assert outcome(gateway.raw(request(f"/seckill/no?{query}", sub="amy", body=body))[0]) == (404, "not_found")
    # An empty one is none.
    assert outcome(gateway.raw(request(f"/seckill/{sale.id}?", sub="amy", body=body))[0]) == (201, "won")


def test_pipelined_clicks_are_answered_in_order(gateway: Gateway, sale: Sale) -> None:
    path = f"/seckill/{sale.id}"
    replies = gateway.raw(request(path, sub="amy") + request("/seckill/no") + request(path, sub="amy"), replies=3)
    assert [outcome(reply)[1] for reply in replies] == ["won", "not_found", "already_won"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/seckill/{offer}", 405),
        ("DELETE", "/seckill/{offer}", 405),
        ("POST", "/seckill", 405),
        ("POST", "/healthz", 405),
        ("GET", "/nothing", 404),
        ("GET", "/demo/token", 405),
        ("POST", "/demo/token", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/static/../serve.py", 404),
        ("GET", "/static/%2e%2e/serve.py", 404),
        ("GET", "/metrics", 404),
    ],
)
def test_other_methods_and_paths_are_problem_documents(
    gateway: Gateway, sale: Sale, method: str, path: str, status: int
) -> None:
    ((said, headers, body),) = gateway.raw(request(path.format(offer=sale.id), method=method))
    problem: dict[str, Any] = json.loads(body)
    assert (said, problem["status"], headers["content-type"]) == (status, status, "application/problem+json")
    assert set(problem) >= {"type", "title", "status", "detail"}


def test_whoever_used_a_wrong_method_hears_the_right_ones(gateway: Gateway, sale: Sale) -> None:
    for path, methods in ((f"/seckill/{sale.id}", {"GET", "HEAD", "POST"}), ("/seckill", {"GET", "HEAD"})):
        ((_, headers, _),) = gateway.raw(request(path, method="PUT"))
        assert set(headers["allow"].split(", ")) == methods


@pytest.mark.parametrize("part", [b"", b"{}"])
def test_a_click_whose_body_never_came_buys_nothing(
    gateway: Gateway, redis: Redis, offer_id: str, part: bytes
) -> None:
    sale = Sale.open(redis, offer_id, stock=5)
    head = request(f"/seckill/{sale.id}").replace(b"Content-Length: 0", b"Content-Length: 15")
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(head + part)
    # Given other clicks after it, it has been dealt with.
    for number in range(20):
        gateway.click(sale.id, f"s{number}", quantity=2)
    assert sale.record("bob") == []


def test_a_body_that_ends_early_is_a_bad_request(gateway: Gateway, sale: Sale) -> None:
    # Given a client that says it will send 15 bytes, sends 2 and ends what it sends, but still listens,
    head = request(f"/seckill/{sale.id}").replace(b"Content-Length: 0", b"Content-Length: 15")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head + b"{}")
        connection.shutdown(socket.SHUT_WR)
        assert outcome(read_reply(connection.makefile("rb"))) == (400, "bad_request")


def test_a_demo_token_s_request_that_ends_early_is_a_bad_request(pair: Gateway) -> None:
    head = request("/demo/token", sub=None).replace(b"Content-Length: 0", b"Content-Length: 15")
    with socket.create_connection(("127.0.0.1", pair.port), timeout=10) as connection:
        connection.sendall(head + b'{"name"')
        connection.shutdown(socket.SHUT_WR)
        assert read_reply(connection.makefile("rb"))[0] == 400


def test_nothing_of_all_this_was_an_error_inside(gateway: Gateway) -> None:
    # The last test of this file: whatever came above was answered on purpose.
    assert "Traceback" not in gateway.log

"""Given bytes that no good program sends, the gateway refuses them, keeps serving, and sells nothing by mistake."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from gateway.crypto import HmacSha256, to_base64url
from tests.security.deployment import Deployment

ROUNDS = 400
ROUNDS_SOAK = 40_000
ANSWER_WITHIN_S = 5.0

OFFERS = [
    "{offer}",
    "",
    "x",
    "{offer}/mine",
    "{offer}/events",
    "..",
    "%00",
    "%2e%2e",
    "a" * 3000,
    "{offer}?x=1",
    "é",
]
BODIES = [
    b"",
    b"{}",
    b'{"quantity": 1}',
    b'{"quantity": 2}',
    b'{"quantity": -1}',
    b'{"quantity": 1e400}',
    b"[" * 900,
    b"\xff\xfe",
    b'{"quantity": 1, "quantity": 1}',
    b"x" * 5000,
]


def forged(shop: Deployment, chance: random.Random) -> str:
    """A token that is wrong in one way, or in several."""
    now = 4_000_000_000
    header: Any = {"alg": "HS256", "typ": "JWT"}
    claims: Any = {"sub": "mallory", "exp": now}
    secret = shop.token_secret.encode()
    match chance.randrange(12):
        case 0:
            header["alg"] = chance.choice(["none", "None", "HS384", "RS256", "ES256", "", 1, None, ["HS256"]])
        case 1:
            header["typ"] = chance.choice(["receipt", "at+jwt", "", 1, None])
        case 2:
            header |= chance.choice([{"crit": ["exp"]}, {"crit": []}, {"jwk": {"k": "x"}, "alg": "none"}])
        case 3:
            claims["exp"] = chance.choice([0, -1, 1.5, "4000000000", None, True, 10**30, [now]])
        case 4:
            claims["sub"] = chance.choice(["", "x" * 65, "a\u0000b", "a\nb", 1, None, ["amy"], {"a": 1}])
        case 5:
            claims |= {"pad": "x" * chance.choice([5000, 60_000])}
        case 6:
            claims = chance.choice([[], "amy", None, 1, [claims]])
        case 7:
            secret = chance.choice(
                [b"", b"0" * 32, b"secret", shop.signing_secret.encode(), shop.admin_key.encode()]
            )
        case 8:
            claims["level"] = chance.choice([-1, 1.5, "1", 10**30])
        case 9:
            header = chance.choice([[], "HS256", None, {"alg": "HS256", "typ": {"a": 1}}])
        case _:
            secret = b"f" * 32
    text = json.dumps(claims)
    if chance.random() < 0.1:
        text = text.replace("{", '{"sub": "amy", ', 1)
        claims = "a claim twice"
        secret = shop.token_secret.encode()
    signed = to_base64url(json.dumps(header).encode()) + b"." + to_base64url(text.encode())
    signature = to_base64url(HmacSha256(secret).digest(signed))
    mangled = chance.choice([signature, signature, signature, b"", signature[:-2], base64.b64encode(b"x" * 32)])
    return (signed + b"." + mangled).decode()


def request(shop: Deployment, offer: str, chance: random.Random) -> bytes:
    """One request that is wrong somewhere. Its token is never one that buys."""
    path = "/seckill/" + chance.choice(OFFERS).replace("{offer}", offer)
    method = chance.choice(["POST"] * 6 + ["GET", "PUT", "OPTIONS", "TRACE", "post", "P\x00ST", ""])
    body = chance.choice(BODIES)
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: x"]
    lines.append(f"Authorization: Bearer {forged(shop, chance)}".encode())
    for _ in range(chance.randrange(3)):
        lines.append(
            chance.choice(
                [
                    b"Idempotency-Key: " + b"k" * chance.choice([0, 1, 64, 65, 5000]),
                    b"Idempotency-Key: \xff\x01",
                    b"Authorization: Bearer x",
                    b"Content-Length: 0",
                    b"Transfer-Encoding: identity",
                    b"X-Forwarded-For: " + b"1.2.3.4, " * chance.choice([1, 500]),
                    b"Expect: 100-continue",
                    b"Connection: close",
                    b"Upgrade: h2c",
                    b": empty",
                    b"no colon at all",
                    b"X: " + bytes(chance.randrange(32, 256) for _ in range(40)),
                ]
            )
        )
    if chance.random() < 0.3:
        sizes = chance.choice([b"%x" % len(body), b"-1", b"zz", b"ffffffffffffffffff"])
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", sizes, body, b"0", b"", b""])
    length = chance.choice([len(body)] * 5 + [0, len(body) + 7, -1, 10**20])
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", b""]) + body


def mutated(shop: Deployment, offer: str, chance: random.Random) -> bytes:
    """A request with some bytes changed, cut, doubled; or several on one connection; or only noise."""
    data = bytearray(request(shop, offer, chance))
    match chance.randrange(6):
        case 0:
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case 1:
            del data[chance.randrange(len(data)) :]
        case 2:
            data *= chance.randrange(2, 12)
        case 3:
            data = bytearray(chance.randbytes(chance.randrange(1, 3000)))
        case 4:
            data[0:0] = request(shop, offer, chance)
    return bytes(data)


def converse(port: int, data: bytes, chance: random.Random) -> bytes:
    """Send bytes, whole or in pieces, say that no more will come, and read to the end."""
    received = b""
    address = ("127.0.0.1", port)
    pieces = 1 if chance.random() < 0.7 else chance.randrange(2, 6)
    size = max(1, len(data) // pieces)
    # Whatever it likes so little that it hangs up is no stumble; that it goes on serving is seen at the end.
    with socket.create_connection(address, timeout=ANSWER_WITHIN_S) as connection, contextlib.suppress(OSError):
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            received += piece
            if b"text/event-stream" in received:
                break
    return received


def statuses(received: bytes) -> list[int]:
    """The status of every reply that begins a line."""
    lines = received.split(b"\r\n")
    return [int(line[9:12]) for line in lines if line.startswith(b"HTTP/1.1 ") and line[9:12].isdigit()]


def fuzz(shop: Deployment, code: str, rounds: int, make: Callable[..., bytes], port: int = 0) -> None:
    port = port or shop.gateway_port
    offer = shop.campaign(code, stock=5)
    seen: Counter[int] = Counter()
    for seed in range(rounds):
        chance = random.Random(f"{code} {seed}")
        data = make(shop, offer, chance)
        received = converse(port, data, chance)
        assert all(status < 500 for status in statuses(received)), (seed, data[:2000], received[:2000])
        for leak in (b"Traceback", b'File "', shop.token_secret.encode(), shop.admin_key.encode()):
            assert leak not in received, (seed, data[:2000], received[:2000])
        assert b'"won"' not in received, (seed, data[:2000], received[:2000])
        seen.update(statuses(received))
    assert {400, 401} <= set(seen), seen
    # Nothing was sold, and an honest click is served.
    assert shop.shop("honest", "GET", f"/seckill/{offer}")["left"] == 5
    assert shop.win(offer, "honest")["quantity"] == 1


@pytest.mark.parametrize("make", [request, mutated], ids=lambda make: make.__name__)
def test_what_no_good_program_sends(deployment: Deployment, make: Callable[..., bytes]) -> None:
    fuzz(deployment, f"fuzz-{make.__name__}", ROUNDS, make)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("make", [request, mutated], ids=lambda make: make.__name__)
def test_much_of_what_no_good_program_sends(deployment: Deployment, make: Callable[..., bytes]) -> None:
    fuzz(deployment, f"soak-{make.__name__}", ROUNDS_SOAK, make)


def test_the_sidecar_stands_it_too(deployment: Deployment) -> None:
    def make(shop: Deployment, offer: str, chance: random.Random) -> bytes:
        path = chance.choice(
            [b"/api/orders", b"/admin/api/orders", b"/admin/api/campaigns", b"/api/receipts/verify"]
        )
        return mutated(shop, offer, chance).replace(b"/seckill/", path + b"/", 1)

    fuzz(deployment, "fuzz-sidecar", ROUNDS // 2, make, deployment.admin_port)


def test_slow_senders_keep_nobody_out(deployment: Deployment) -> None:
    offer = deployment.campaign("slow", stock=5)
    # Given many who send a byte and then wait, in the middle of everything,
    beginnings = [b"P", b"POST /seckill/", b"POST /seckill/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"]
    waiting = []
    try:
        for number in range(300):
            connection = socket.create_connection(("127.0.0.1", deployment.gateway_port), timeout=ANSWER_WITHIN_S)
            connection.sendall(beginnings[number % len(beginnings)])
            waiting.append(connection)
        # then an honest click is answered as always.
        assert deployment.win(offer, "honest")["quantity"] == 1
    finally:
        for connection in waiting:
            connection.close()

"""Given a way between a client and Redis, it knows where commands end, and stops the one it is told to stop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from tests.conftest import RedisServer
from tests.faults.proxy import Way, Ways
from tests.faults.resp import ScriptNames, frame_end, words

SCRIPT = "--[[\nnote: writes\n]] return redis.call('SET', KEYS[1], ARGV[1])"


def once(port: int, timeout_s: float = 5.0) -> Redis:
    """A client that tries once."""
    return Redis(port=port, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))


@pytest.fixture
def way(redis_server: RedisServer) -> Iterator[Way]:
    ways = Ways()
    yield ways.open("test", ("127.0.0.1", redis_server.port), redis=True)
    ways.close()


@pytest.fixture
def client(way: Way) -> Iterator[Redis]:
    client = once(way.port)
    yield client
    client.close()


@pytest.mark.parametrize(
    "value",
    [
        b"+OK\r\n",
        b":12\r\n",
        b"$-1\r\n",
        b"$5\r\na\r\nbc\r\n",
        b"*-1\r\n",
        b"*2\r\n*1\r\n:1\r\n$0\r\n\r\n",
        b"%1\r\n+a\r\n*1\r\n:2\r\n",
        b"_\r\n",
        b"#t\r\n",
    ],
)
def test_a_value_ends_where_it_ends_and_not_before(value: bytes) -> None:
    assert frame_end(value + b"+more\r\n") == len(value)
    assert all(frame_end(value[:cut]) is None for cut in range(len(value)))


def test_a_script_is_known_by_the_name_in_its_header() -> None:
    names = ScriptNames()
    source = SCRIPT.encode()
    load = b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%d\r\n%b\r\n" % (len(source), source)
    assert names.name_of(load) == "SCRIPT"
    sha = next(iter(names.by_sha))
    assert names.name_of(b"*3\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n0\r\n" % sha) == "note"
    assert words(load)[1] == b"LOAD"


def test_a_request_is_stopped_before_redis_sees_it(way: Way, client: Redis, redis: Redis, offer_id: str) -> None:
    client.ping()
    trap = way.trap("request", "SET")
    asking = threading.Thread(target=client.set, args=(offer_id, "1"))
    asking.start()
    assert trap.wait(5)
    assert redis.get(offer_id) is None
    trap.release()
    asking.join()
    assert redis.get(offer_id) == b"1"


def test_a_reply_is_held_back_after_redis_has_done_it(way: Way, client: Redis, redis: Redis, offer_id: str) -> None:
    script = client.register_script(SCRIPT)
    script(keys=[offer_id], args=["0"])
    trap = way.trap("reply", "note")
    failed: list[Exception] = []

    def ask() -> None:
        try:
            script(keys=[offer_id], args=["1"])
        except RedisConnectionError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert trap.wait(5)
    assert redis.get(offer_id) == b"1"
    assert asking.is_alive()
    trap.release(lose=True)
    asking.join(5)
    assert failed, "the answer came through"


def test_a_lost_reply_never_comes(way: Way, redis: Redis, offer_id: str) -> None:
    client = once(way.port, 0.3)
    client.ping()
    way.set_weather(swallow=frozenset({"down"}))
    with pytest.raises(RedisTimeoutError):
        client.set(offer_id, "1")
    assert redis.get(offer_id) == b"1"
    client.close()


def test_a_lost_request_never_arrives(way: Way, redis: Redis, offer_id: str) -> None:
    client = once(way.port, 0.3)
    client.ping()
    way.set_weather(swallow=frozenset({"up"}))
    with pytest.raises(RedisTimeoutError):
        client.set(offer_id, "1")
    assert redis.get(offer_id) is None
    client.close()


@pytest.mark.parametrize("weather", [{"slice_bytes": 1}, {"bytes_per_s": 20_000}, {"delay_s": 0.05}])
def test_whatever_is_slow_or_in_pieces_arrives_whole(
    way: Way, client: Redis, offer_id: str, weather: dict[str, float]
) -> None:
    way.set_weather(**weather)
    client.set(offer_id, "x" * 300)
    assert client.get(offer_id) == b"x" * 300


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_ends_every_connection(way: Way, reset: bool) -> None:
    with socket.create_connection(("127.0.0.1", way.port), 5) as near:
        near.sendall(b"*1\r\n$4\r\nPING\r\n")
        assert near.recv(100) == b"+PONG\r\n"
        way.cut(reset=reset)
        if reset:
            with pytest.raises(ConnectionResetError):
                near.recv(100)
        else:
            assert near.recv(100) == b""


def test_who_is_refused_hears_so_at_once(way: Way) -> None:
    way.set_weather(refuse=True)
    client = once(way.port)
    with pytest.raises(RedisConnectionError):
        client.ping()
    client.close()

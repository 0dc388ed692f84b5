"""Given due reminders, the mailer's stream gets each once, within its bounds."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from redis import Redis

from tests.conftest import wait_until
from tests.lua.calling import call, redis_now_ms

KEEP_MS = 3_600_000


class Stream:
    """A stream of this test's own."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.redis = redis
        self.keys = {"stream": f"{{{name}}}:stream", "given": f"{{{name}}}:given"}

    def remind(self, *ids: str, keep_ms: int = KEEP_MS, length_max: int = 100) -> int:
        reminders = [[each, "amy | bob, \0", "noon-kettle", "{}"] for each in ids]
        args = {"reminders": msgpack.packb(reminders), "keep_ms": keep_ms, "length_max": length_max}
        word, given = call(self.redis, "remind", self.keys, args)
        assert word == "GIVEN"
        return int(given)

    def ids(self) -> list[str]:
        entries: Any = self.redis.xrange(self.keys["stream"])
        return [fields[b"reminder"].decode() for _, fields in entries]


@pytest.fixture
def stream(redis: Redis, offer_id: str) -> Stream:
    return Stream(redis, offer_id)


def test_given_in_order_with_what_the_mailer_needs(stream: Stream) -> None:
    assert stream.remind("1", "2") == 2
    assert stream.ids() == ["1", "2"]
    (_, fields), *_ = stream.redis.xrange(stream.keys["stream"])  # type: ignore[misc]
    assert fields[b"shopper"] == b"amy | bob, \0"
    assert set(fields) == {b"reminder", b"shopper", b"offer", b"data"}


def test_given_again_counts_and_is_not_put_there_again(stream: Stream) -> None:
    stream.remind("1", "2")
    assert stream.remind("1", "2", "3", "3") == 4
    assert stream.ids() == ["1", "2", "3"]
    # Also when the mailer has read and deleted it.
    stream.redis.delete(stream.keys["stream"])
    assert stream.remind("2") == 1
    assert stream.ids() == []


def test_given_up_to_the_length_and_the_rest_waits(stream: Stream) -> None:
    assert stream.remind("1", "2", "3", length_max=2) == 2
    assert stream.remind("3", length_max=2) == 0
    assert stream.remind("2", "3", length_max=2) == 1
    stream.redis.xdel(stream.keys["stream"], stream.redis.xrange(stream.keys["stream"])[0][0])  # type: ignore[index]
    assert stream.remind("3", length_max=2) == 1
    assert stream.ids() == ["2", "3"]


def test_given_to_a_full_stream_after_the_oldest_went_by_age(stream: Stream) -> None:
    stream.remind("1", "2")
    put_at_ms = redis_now_ms(stream.redis)
    wait_until(lambda: redis_now_ms(stream.redis) > put_at_ms + 5)
    # When they are too old, entries and marks go together, also when nothing new is given.
    assert stream.remind("3", keep_ms=2, length_max=2) == 1
    assert stream.ids() == ["3"]
    assert stream.redis.zcard(stream.keys["given"]) == 1

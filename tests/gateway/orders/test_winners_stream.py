"""The stream as one writer sees it: reading, settling, trimming, and the list of writers."""

from __future__ import annotations

import pytest
from redis import Redis

from gateway import keys
from gateway.orders import dead_letters
from gateway.orders.ledger import Settlement
from gateway.orders.stream import START, WinnersStream
from tests.conftest import wait_until
from tests.gateway.orders.shop import read_new

GROUP = keys.ORDER_GROUP
STREAM = keys.stream(0)


def stream_of(client: Redis, consumer: str) -> WinnersStream:
    stream = WinnersStream(client, 0, consumer)
    stream.ensure_group()
    return stream


def test_dead_letters_are_read_in_pages(empty_redis: Redis) -> None:
    """Given five dead letters, when read two at a time, then each is seen once and the last page says so."""
    stream = stream_of(empty_redis, "me")
    for number in range(5):
        empty_redis.xadd(STREAM, {"n": number})
    read = read_new(empty_redis, 10, consumer=stream.consumer)
    stream.settle(
        [Settlement(raw[0].decode(), *_unreadable(raw[1])) for raw in read],
    )
    seen, after = [], None
    for expected in (2, 2, 1):
        page, after = dead_letters.page(empty_redis, 0, after=after, limit=2)
        assert len(page) == expected
        seen += [each.letter.fields[b"n"] for each in page]
    assert after is None
    assert seen == [b"0", b"1", b"2", b"3", b"4"]
    assert dead_letters.count(empty_redis, 0) == 5


def _unreadable(fields: dict[bytes, bytes]) -> tuple[int, tuple[dead_letters.DeadLetter]]:
    count, letter = dead_letters.of_entry(fields)
    return count, (letter,)


def test_own_deleted_entries_are_dropped(empty_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """Given own pending entries, one deleted, when read again, then the other comes and nothing loops."""
    stream = stream_of(empty_redis, "me")
    for number in range(2):
        empty_redis.xadd(STREAM, {"n": number})
    [first, second] = read_new(empty_redis, 10, consumer=stream.consumer)
    empty_redis.xdel(STREAM, first[0])
    assert stream.read_own(10) == [second]
    assert "were deleted before they were written" in caplog.text
    assert empty_redis.xpending(STREAM, GROUP)["pending"] == 1


def test_trimming_keeps_all_that_is_not_settled(empty_redis: Redis) -> None:
    """Given settled, pending and unread entries, when trimmed, then only settled ones are gone."""
    stream = stream_of(empty_redis, "me")
    for number in range(900):
        empty_redis.xadd(STREAM, {"n": number})
    given_out = read_new(empty_redis, 700, consumer=stream.consumer)
    settled = [Settlement(raw[0].decode(), 0) for raw in given_out]
    # One in the middle stays pending: everything after it must stay too.
    stream.settle(settled[:449] + settled[450:])
    assert stream.trim() > 0
    kept = [entry_id for entry_id, _ in empty_redis.xrange(STREAM)]
    assert kept[-451:] == [raw[0] for raw in given_out[449:]] + kept[-200:]
    assert len(kept) < 560
    stream.settle(settled[449:450])
    stream.trim()
    assert len(read_new(empty_redis, 1000, consumer=stream.consumer)) == 200
    assert empty_redis.xlen(STREAM) <= 300


def test_a_fresh_stream_is_not_trimmed(empty_redis: Redis) -> None:
    """Given entries that no writer has read, when trimmed, then all are kept."""
    for number in range(300):
        empty_redis.xadd(STREAM, {"n": number})
    stream = stream_of(empty_redis, "me")
    assert stream.trim() == 0
    assert len(read_new(empty_redis, 1000, consumer=stream.consumer)) == 300


def test_gone_writers_are_forgotten_only_with_empty_hands(empty_redis: Redis) -> None:
    """Given two silent writers, one with an entry, when cleaned up, then only the other is forgotten."""
    for number in range(2):
        empty_redis.xadd(STREAM, {"n": number})
    holder, empty, me = (stream_of(empty_redis, name) for name in ("holder", "empty", "me"))
    read_new(empty_redis, 1, consumer=holder.consumer)
    [entry] = read_new(empty_redis, 1, consumer=empty.consumer)
    empty.settle([Settlement(entry[0].decode(), 0)])
    me.forget_gone(60_000)
    assert _consumers(empty_redis) == {"holder", "empty"}
    wait_until(lambda: me.forget_gone(5) is None and _consumers(empty_redis) == {"holder"}, what="forgotten")
    holder.forget("holder")
    assert _consumers(empty_redis) == {"holder"}
    assert me.take_over(START, 0, 10)[0] != []


def _consumers(empty_redis: Redis) -> set[str]:
    return {each["name"].decode() for each in empty_redis.xinfo_consumers(STREAM, GROUP)}

"""Given entries that the ledger has, `settle` acknowledges each once; `forget_consumer` loses none."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from redis import Redis

from gateway import keys
from tests.conftest import RedisServer, wait_until
from tests.lua.calling import call

GROUP = keys.ORDER_GROUP


@pytest.fixture
def entries(own_redis: RedisServer) -> Any:
    """A stream of three entries that a writer has read and not acknowledged."""
    client = own_redis.client()
    client.xgroup_create(keys.stream(0), GROUP, id="0", mkstream=True)
    ids = [client.xadd(keys.stream(0), {"count": count}) for count in (3, 2, 4)]
    client.xreadgroup(GROUP, "writer", {keys.stream(0): ">"})
    yield client, ids
    client.close()


def settle(client: Redis, *entries: tuple[Any, int, list[tuple[Any, ...]]]) -> list[Any]:
    named = {
        "stream": keys.stream(0),
        "dead": keys.dead(0),
        "counters": keys.counters(0),
        "filed": keys.filed(0),
    }
    return call(client, "settle", named, {"group": GROUP, "entries": msgpack.packb(entries, use_bin_type=False)})


def totals(client: Redis) -> dict[str, int]:
    counters: Any = client.hgetall(keys.counters(0))
    return {name.decode(): int(count) for name, count in counters.items()}


def test_settled_entries_are_acknowledged_and_counted(entries: Any) -> None:
    client, ids = entries
    assert settle(client, (ids[0], 3, []), (ids[1], 2, [])) == ["SETTLED", 2, 5, 0]
    assert client.xpending(keys.stream(0), GROUP)["pending"] == 1
    assert totals(client) == {"committed": 5, "dead": 0}


def test_an_entry_settled_twice_counts_once(entries: Any) -> None:
    client, ids = entries
    dead = [("amy", "ticket", "noon-kettle", 1, "a reason")]
    settle(client, (ids[0], 3, dead))
    assert settle(client, (ids[0], 3, dead), (ids[1], 2, [])) == ["SETTLED", 1, 2, 0]
    assert totals(client) == {"committed": 5, "dead": 1}
    assert client.xlen(keys.dead(0)) == 1
    assert settle(client, (ids[0], 3, dead)) == ["SETTLED", 0, 0, 0]


def test_a_letter_of_an_unknown_entry_is_filed_once(entries: Any) -> None:
    """Given a writer that slept while Redis lost its entry, then its winner is not dropped."""
    client, _ = entries
    dead = [("amy", "ticket", "noon-kettle", 1, "a reason")]
    assert settle(client, ("1-1", 3, dead)) == ["SETTLED", 0, 0, 1]
    assert settle(client, ("1-1", 3, dead), ("1-2", 1, dead)) == ["SETTLED", 0, 0, 0]
    assert totals(client) == {"committed": 0, "dead": 1}
    [(_, letter)] = client.xrange(keys.dead(0))
    assert (letter[b"shopper"], letter[b"ticket"], letter[b"reason"]) == (b"amy", b"ticket", b"a reason")


def test_winners_that_differ_in_anything_are_filed_each(entries: Any) -> None:
    client, ids = entries
    dead = [(shopper, ticket, offer, 1, "a reason") for shopper in "ab" for ticket in "tu" for offer in "xy"]
    assert settle(client, (ids[0], 8, dead)) == ["SETTLED", 1, 8, 8]


def test_unreadable_entries_with_equal_content_are_filed_each(entries: Any) -> None:
    client, ids = entries
    dead = [("", "garbage", "", "", "unreadable")]
    assert settle(client, (ids[0], 1, dead), (ids[1], 1, dead)) == ["SETTLED", 2, 2, 2]
    assert settle(client, (ids[0], 1, dead)) == ["SETTLED", 0, 0, 0]


def test_an_unknown_entry_counts_nothing(entries: Any) -> None:
    client, _ = entries
    assert settle(client, ("1-1", 3, [])) == ["SETTLED", 0, 0, 0]
    assert totals(client) == {}


def test_what_cannot_be_written_is_kept_with_its_reason(entries: Any) -> None:
    client, ids = entries
    shopper = "王 | , . \" '".encode()
    assert settle(client, (ids[2], 4, [(shopper, b"a|b,c", "noon-kettle", 7, "unit 9 is held")])) == [
        "SETTLED", 1, 4, 1,
    ]  # fmt: skip
    ((_, letter),) = client.xrange(keys.dead(0))
    assert letter == {
        b"entry": ids[2],
        b"shopper": shopper,
        b"ticket": b"a|b,c",
        b"offer": b"noon-kettle",
        b"epoch": b"7",
        b"reason": b"unit 9 is held",
    }
    assert totals(client) == {"committed": 4, "dead": 1}


def test_out_of_memory_entries_can_still_be_settled(entries: Any) -> None:
    # Settling must go on then: it is what lets the stream be trimmed.
    client, ids = entries
    client.config_set("maxmemory", 1)
    dead = [("amy", "ticket", "noon-kettle", 1, "a reason")]
    assert settle(client, (ids[0], 3, dead)) == ["SETTLED", 1, 3, 1]
    client.config_set("maxmemory", 0)


def forget(client: Redis, consumer: str, idle_ms: int) -> str:
    args = {"group": GROUP, "consumer": consumer, "idle_ms": idle_ms}
    return str(call(client, "forget_consumer", {"stream": keys.stream(0)}, args)[0])


def consumers(client: Redis) -> set[str]:
    return {row["name"].decode() for row in client.xinfo_consumers(keys.stream(0), GROUP)}


def test_kept_a_consumer_with_entries_to_write(entries: Any) -> None:
    client, ids = entries
    assert forget(client, "writer", 0) == "KEPT"
    settle(client, *((entry, 1, []) for entry in ids))
    assert forget(client, "writer", 0) == "FORGOTTEN"
    assert consumers(client) == set()


def test_kept_a_consumer_that_was_seen_lately_forgotten_when_it_was_not(entries: Any) -> None:
    client, _ = entries
    client.xgroup_createconsumer(keys.stream(0), GROUP, "idle")
    assert forget(client, "idle", 60_000) == "KEPT"
    assert consumers(client) == {"writer", "idle"}
    wait_until(lambda: forget(client, "idle", 20) == "FORGOTTEN")
    assert consumers(client) == {"writer"}


def test_kept_an_unknown_consumer(entries: Any) -> None:
    assert forget(entries[0], "nobody", 0) == "KEPT"

"""The shards' streams of winners, read as one member of the group of order writers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack
from redis import Redis
from redis.exceptions import ResponseError

from gateway import keys, scripts
from gateway.orders.ledger import Settlement

TRIM_MAX = 10_000
"""Most entries that one trimming call removes, so that it never holds Redis up."""
START = "0-0"

log = logging.getLogger(__name__)

RawEntry = tuple[bytes, dict[bytes, bytes]]


class WinnersStream:
    """One shard's stream as the consumer `consumer` sees it. Every call may raise `redis.RedisError`."""

    def __init__(self, client: Redis, shard: int, consumer: str) -> None:
        self.shard = shard
        self.consumer = consumer
        self._client = client
        self._key = keys.stream(shard)
        self._group = keys.ORDER_GROUP

    def ensure_group(self) -> None:
        """Create the group at the stream's beginning unless it is there."""
        try:
            self._client.xgroup_create(self._key, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read_own(self, entries: int) -> list[RawEntry]:
        """Entries given to this consumer and not settled; deleted ones are reported and dropped."""
        reply: Any = self._client.xreadgroup(self._group, self.consumer, {self._key: START}, count=entries)
        found: list[RawEntry] = reply[0][1] if reply else []
        gone = [entry_id.decode() for entry_id, fields in found if not fields]
        if gone:
            _report_gone(self.shard, gone)
            self.settle([Settlement(entry_id, 0) for entry_id in gone])
        return [entry for entry in found if entry[1]]

    def take_over(self, cursor: str, idle_ms: int, entries: int) -> tuple[list[RawEntry], str]:
        """Take entries that their writer has left for `idle_ms`.

        Returns:
            The entries, and the cursor to go on with; `START` when all were looked at.
        """
        reply: Any = self._client.xautoclaim(
            self._key, self._group, self.consumer, idle_ms, start_id=cursor, count=entries
        )
        found = [entry for entry in reply[1] if entry[0] is not None and entry[1]]
        if len(reply) > 2 and reply[2]:
            _report_gone(self.shard, [entry_id.decode() for entry_id in reply[2]])
        elif len(found) < len(reply[1]):
            # Redis 6.2 hands deleted entries over without their ids; among this consumer's own they have them.
            self.read_own(len(reply[1]))
        return found, reply[0].decode()

    def settle(self, settlements: Sequence[Settlement]) -> tuple[int, int]:
        """Acknowledge what the database has; dead letters move to their stream in the same step.

        Returns:
            How many winners were settled now, and how many were filed as dead letters now; what another
            writer settled or filed before counts for neither.
        """
        packed = msgpack.packb(
            [
                [
                    each.entry,
                    each.winners,
                    [
                        [letter.shopper, letter.ticket, letter.offer, letter.epoch, letter.reason]
                        for letter in each.letters
                    ],
                ]
                for each in settlements
            ],
            use_bin_type=False,
        )
        reply = scripts.load("settle").call(
            self._client,
            {
                "stream": self._key,
                "dead": keys.dead(self.shard),
                "counters": keys.counters(self.shard),
                "filed": keys.filed(self.shard),
            },
            {"group": self._group, "entries": packed},
        )
        return int(reply[2]), int(reply[3])

    def trim(self) -> int:
        """Remove a bounded number of settled entries from the old end; how many."""
        groups: Any = self._client.xinfo_groups(self._key)
        delivered = next(group["last-delivered-id"] for group in groups if group["name"] == self._group.encode())
        # In this order: an entry that is given out after the first look is beyond `delivered`, whatever
        # the second look says. The other way round it would count as settled.
        pending: Any = self._client.xpending(self._key, self._group)
        oldest = min((_position(each) for each in (delivered, pending["min"]) if each), default=(0, 0))
        minimum = f"{oldest[0]}-{oldest[1]}"
        removed: Any = self._client.xtrim(self._key, minid=minimum, approximate=True, limit=TRIM_MAX)
        return int(removed)

    def forget_gone(self, idle_ms: int) -> None:
        """Take writers off the group's list that were not seen for `idle_ms` and left nothing to write."""
        consumers: Any = self._client.xinfo_consumers(self._key, self._group)
        for each in consumers:
            name = each["name"].decode()
            if name != self.consumer and each["idle"] >= idle_ms and each["pending"] == 0:
                self.forget(name, idle_ms)

    def forget(self, consumer: str, idle_ms: int = 0) -> None:
        """Take one consumer off the list unless it has entries to write."""
        scripts.load("forget_consumer").call(
            self._client,
            {"stream": self._key},
            {"group": self._group, "consumer": consumer, "idle_ms": idle_ms},
        )


class WinnersStreams:
    """All shards' streams as the consumer `consumer` sees them. Every call may raise `redis.RedisError`."""

    def __init__(self, client: Redis, consumer: str) -> None:
        self._client = client
        self._consumer = consumer
        self._by_key = {
            keys.stream(shard).encode(): WinnersStream(client, shard, consumer) for shard in keys.shards()
        }
        self._wanted: dict[Any, Any] = dict.fromkeys(self._by_key, b">")

    def __iter__(self) -> Iterator[WinnersStream]:
        return iter(self._by_key.values())

    def read_new(self, entries: int, block_ms: int) -> list[tuple[WinnersStream, list[RawEntry]]]:
        """Up to so many entries of each stream that no writer was given yet; waits up to `block_ms` for the first.

        One command waits for all streams: an entry is read as soon as it is there, whichever stream it is in.
        """
        reply: Any = self._client.xreadgroup(
            keys.ORDER_GROUP, self._consumer, self._wanted, count=entries, block=block_ms
        )
        return [(self._by_key[key], found) for key, found in reply]


def _position(entry_id: bytes) -> tuple[int, int]:
    ms, _, number = entry_id.partition(b"-")
    return int(ms), int(number)


def _report_gone(shard: int, ids: list[str]) -> None:
    log.error(
        "entries were deleted before they were written, their winners may have no order: shard=%d count=%d ids=%s",
        shard,
        len(ids),
        ",".join(ids[:20]),
    )

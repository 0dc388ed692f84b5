"""Winners that could not be written: why, and the stream where they wait for an operator.

=================  ====================================================================================
reason             what happened
=================  ====================================================================================
``unit_taken``     another live order of the offer holds a unit of the ticket
``slot_taken``     another live order of the same shopper holds a slot of the ticket
``order_conflict`` the order number is there already with other content
``above_unit_cap`` a unit number was never authorised for the offer
``above_limit``    a slot lies above the offer's limit per shopper
``unknown_offer``  the ledger does not have the offer
``stale_epoch``    the entry belongs to another epoch than the ledger: Redis lost it before it was written
``unreadable``     the entry, the shopper or the ticket cannot be read, or no column can hold it
=================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgpack
from redis import Redis

from gateway import keys

COUNT_MAX = 1000
"""Most winners that one batch can have."""
PAGE = 500
"""Dead letters read at once."""


class Reason(StrEnum):
    """Why a winner could not be written."""

    UNIT_TAKEN = "unit_taken"
    SLOT_TAKEN = "slot_taken"
    ORDER_CONFLICT = "order_conflict"
    ABOVE_UNIT_CAP = "above_unit_cap"
    ABOVE_LIMIT = "above_limit"
    UNKNOWN_OFFER = "unknown_offer"
    STALE_EPOCH = "stale_epoch"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One winner that could not be written, as it came.

    For a whole entry that cannot be read, `shopper` is empty and `ticket` holds all its fields (msgpack).
    """

    shopper: bytes
    ticket: bytes
    offer: bytes
    epoch: bytes
    reason: str

    @property
    def fields(self) -> dict[bytes, bytes] | None:
        """The raw fields of a whole entry that could not be read; None for a single winner."""
        if self.shopper or self.reason != Reason.UNREADABLE:
            return None
        try:
            found: Any = msgpack.unpackb(self.ticket, raw=True, strict_map_key=False)
        except (ValueError, msgpack.UnpackException):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Filed:
    """A dead letter in its stream. `entry` is the id of the winners' entry it came from."""

    id: str
    entry: str
    letter: DeadLetter


def of_entry(fields: Mapping[bytes, bytes]) -> tuple[int, DeadLetter]:
    """How many winners an unreadable entry says it has (0 if that is unreadable too), and its dead letter."""
    text = fields.get(b"count", b"")
    count = int(text) if text.isdigit() and len(text) <= 4 else 0
    packed: bytes = msgpack.packb(dict(fields), use_bin_type=False)
    letter = DeadLetter(b"", packed, fields.get(b"offer", b""), fields.get(b"epoch", b""), Reason.UNREADABLE.value)
    return (count if count <= COUNT_MAX else 0), letter


def page(client: Redis, shard: int, *, after: str | None, limit: int) -> tuple[list[Filed], str | None]:
    """Up to `limit` dead letters of a shard, oldest first, and where the next page begins (None at the end).

    Raises:
        redis.RedisError: Redis cannot be reached, or `after` is not an id this function gave out.
    """
    start = f"({after}" if after else "-"
    rows: Any = client.xrange(keys.dead(shard), min=start, count=limit + 1)
    filed = [_filed(entry_id, fields) for entry_id, fields in rows[:limit]]
    return filed, filed[-1].id if len(rows) > limit else None


def all_of(client: Redis, shard: int) -> Iterator[Filed]:
    """Every dead letter of a shard, oldest first.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    after: str | None = None
    while True:
        filed, after = page(client, shard, after=after, limit=PAGE)
        yield from filed
        if after is None:
            return


def of_offer(client: Redis, offer: str, buckets: int) -> Iterator[DeadLetter]:
    """The dead letters of one offer with so many buckets, of each bucket oldest first.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    for bucket in keys.bucket_numbers(buckets):
        for filed in all_of(client, keys.shard_of(offer, bucket)):
            if filed.letter.offer == offer.encode():
                yield filed.letter


def find(client: Redis, shard: int, letter_id: str) -> Filed | None:
    """One dead letter, or None when it is not there (any more).

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    rows: Any = client.xrange(keys.dead(shard), letter_id, letter_id)
    return _filed(*rows[0]) if rows else None


def remove(client: Redis, shard: int, letter_id: str) -> None:
    """Take a dead letter away: its winner has an order, or was settled with. It is not filed again.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    client.xdel(keys.dead(shard), letter_id)


def count(client: Redis, shard: int) -> int:
    """How many dead letters wait on a shard."""
    return int(client.xlen(keys.dead(shard)))


def _filed(entry_id: bytes, fields: dict[bytes, bytes]) -> Filed:
    letter = DeadLetter(
        fields.get(b"shopper", b""),
        fields.get(b"ticket", b""),
        fields.get(b"offer", b""),
        fields.get(b"epoch", b""),
        fields.get(b"reason", b"").decode("ascii", "replace"),
    )
    return Filed(entry_id.decode(), fields.get(b"entry", b"").decode("ascii", "replace"), letter)

"""Where a shopper leaves traces in Redis, and how they go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from sqlalchemy import Connection, select

from gateway import keys, scripts
from gateway.errors import MessageError
from gateway.orders.message import Entry, Ticket
from gateway.orders.tables import offers

PAGE = 500
"""Offers asked about, or stream entries read, at once."""


@dataclass(frozen=True, slots=True)
class Record:
    """A buyer's record: where it is, the orders of its tickets, and whether the sale may still ask for it."""

    offer: str
    epoch: int
    bucket: int
    order_numbers: tuple[str, ...]
    running: bool


def offers_of_ledger(connection: Connection) -> list[tuple[str, int, int]]:
    """Every offer with its epoch and how many buckets it has."""
    rows = connection.execute(select(offers.c.id, offers.c.epoch, offers.c.buckets).order_by(offers.c.id))
    return [(row.id, row.epoch, row.buckets) for row in rows]


def buyer_records(redis: Redis, ids: Sequence[tuple[str, int, int]], shopper: str) -> list[Record]:
    """The shopper's records at some offers.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    return [
        record
        for start in range(0, len(ids), PAGE)
        for record in _records(redis, ids[start : start + PAGE], shopper)
    ]


def _records(redis: Redis, ids: Sequence[tuple[str, int, int]], shopper: str) -> Iterator[Record]:
    places = [(offer, epoch, keys.home_bucket(shopper.encode(), buckets)) for offer, epoch, buckets in ids]
    pipeline = redis.pipeline(transaction=False)
    pipeline.time()
    for offer, epoch, bucket in places:
        pipeline.hget(keys.buyers(offer, epoch, bucket), shopper)
        pipeline.hmget(keys.offer(offer, bucket), ["state", "ends_at_ms"])
    (seconds, microseconds), *found = pipeline.execute()
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    for number, (offer, epoch, bucket) in enumerate(places):
        record, (state, ends_at_ms) = found[2 * number], found[2 * number + 1]
        if record is not None:
            numbers = tuple(Ticket.parse(text).order_no for text in record.split(b"|"))
            over = state is None or state == b"terminated" or int(ends_at_ms) <= now_ms
            yield Record(offer, epoch, bucket, numbers, running=not over)


def rename(redis: Redis, records: Sequence[Record], shopper: str, names: Mapping[str, str]) -> int:
    """Give records to the pseudonyms that their orders have in the ledger; how many.

    Raises:
        redis.RedisError: Redis cannot be reached; the rest keeps its name.
    """
    renamed = 0
    for each in records:
        pseudonym = names[each.order_numbers[0]]
        if pseudonym == shopper:
            continue
        word, *_ = scripts.load("rename_buyer").call(
            redis,
            {
                "offer": keys.offer(each.offer, each.bucket),
                "buyers": keys.buyers(each.offer, each.epoch, each.bucket),
            },
            {"shopper": shopper, "pseudonym": pseudonym},
        )
        renamed += word == "RENAMED"
    return renamed


def delete_dead_letters(redis: Redis, shopper: str) -> int:
    """Delete the shopper's dead letters; how many.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    return sum(
        _delete(redis, keys.dead(shard), lambda fields: fields.get(b"shopper") == shopper.encode())
        for shard in keys.shards()
    )


def delete_reminders(redis: Redis, shopper: str) -> int:
    """Delete the shopper's messages to the mailer; how many.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    return _delete(redis, keys.reminders(), lambda fields: fields.get(b"shopper") == shopper.encode())


def delete_settled_entries(redis: Redis, shopper: str) -> int:
    """Delete entries of the winners' streams that are settled and name the shopper; how many.

    What is settled is in the ledger; it only waits to be trimmed.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    deleted = 0
    for shard in keys.shards():
        if not redis.exists(keys.stream(shard)):
            continue
        groups: Any = redis.xinfo_groups(keys.stream(shard))
        delivered = [each["last-delivered-id"] for each in groups if each["name"] == keys.ORDER_GROUP.encode()]
        for entry_id, fields in _entries(redis, keys.stream(shard), delivered[0] if delivered else "0"):
            if _names_shopper(entry_id, fields, shopper) and not redis.xpending_range(
                keys.stream(shard), keys.ORDER_GROUP, entry_id, entry_id, 1
            ):
                deleted += int(redis.xdel(keys.stream(shard), entry_id))
    return deleted


def _names_shopper(entry_id: bytes, fields: dict[bytes, bytes], shopper: str) -> bool:
    try:
        return any(winner.shopper == shopper.encode() for winner in Entry.parse(entry_id, fields).winners)
    except MessageError:
        return False


def _delete(redis: Redis, key: str, wanted: Any) -> int:
    found = [entry_id for entry_id, fields in _entries(redis, key, "+") if wanted(fields)]
    return sum(int(redis.xdel(key, *found[start : start + PAGE])) for start in range(0, len(found), PAGE))


def _entries(redis: Redis, key: str, last: Any) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    first = "-"
    while True:
        page: Any = redis.xrange(key, min=first, max=last, count=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        first = f"({page[-1][0].decode()}"

"""The buckets of an offer, read together: what is left in all of them, and what is on its way between two.

Docs: ``docs/adr/0017``. A transfer is written down at its source (``out:DEST``) until its destination has the units
(``taken:SOURCE``): so what has left one bucket and not reached the other is never lost sight of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis import Redis

from gateway import keys, scripts, store
from gateway.errors import OfferError

COPY_WITHIN_MS = 1000
"""How long replicas are waited for when a transfer is finished."""

FIELDS = (
    "epoch",
    "run_id",
    "version",
    "stock",
    "left",
    "unit_cap",
    "sequence",
    "sold_at_ms",
    "may_return_at_ms",
)
"""Fields of a bucket's hash that are read together with its transfers."""


class Transfer(NamedTuple):
    """Units under way from one bucket to another; `number` counts the transfers of the two."""

    source: int
    dest: int
    number: int
    units: str

    @property
    def size(self) -> int:
        """How many units."""
        return sum(last - first + 1 for first, last in ranges_of(self.units))


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket as Redis has it. Counts are units; `transfers` as the hash has them."""

    number: int
    epoch: int
    run_id: str
    transfers: Mapping[bytes, bytes]
    version: int
    stock: int
    left: int
    unit_cap: int
    sequence: int
    sold_at_ms: int
    may_return_at_ms: int

    def taken(self, source: int) -> int:
        """Number of the last transfer from that bucket whose units are here."""
        return int(self.transfers.get(b"taken:%d" % source, 0))

    def given(self, dest: int) -> int:
        """Number of the last transfer to that bucket, open or not."""
        return int(self.transfers.get(b"given:%d" % dest, 0))


def ranges_of(units: str) -> Iterable[tuple[int, int]]:
    """First and last number of every part of ``first-last,number,…``."""
    for part in filter(None, units.split(",")):
        first, _, last = part.partition("-")
        yield int(first), int(last or first)


def read_bucket(number: int, row: Sequence[bytes | None], transfers: Mapping[bytes, bytes]) -> Bucket | None:
    """A bucket out of its `FIELDS` and its transfers; None when Redis lacks it, or has a part of it only."""
    epoch, run_id, *numbers = row
    if epoch is None or run_id is None or numbers[1] is None:
        return None
    return Bucket(number, int(epoch), run_id.decode(), transfers, *(int(each or 0) for each in numbers))


def open_transfers(buckets: Sequence[Bucket]) -> list[Transfer]:
    """Transfers that are not closed yet: their units are on their way, or have come."""
    return [
        Transfer(bucket.number, int(name[4:]), *_written(record))
        for bucket in buckets
        for name, record in bucket.transfers.items()
        if name.startswith(b"out:")
    ]


def _written(record: bytes) -> tuple[int, str]:
    number, _, units = record.decode().partition(":")
    return int(number), units


def on_the_way(buckets: Sequence[Bucket]) -> list[Transfer]:
    """Those open transfers whose units are in no bucket."""
    taken = {bucket.number: bucket for bucket in buckets}
    return [
        each
        for each in open_transfers(buckets)
        if each.dest not in taken or taken[each.dest].taken(each.source) < each.number
    ]


def read_all(client: Redis, offer: str, epoch: int, buckets: int) -> list[Bucket | None]:
    """Every bucket of an offer in the order of their numbers; None where Redis lacks one.

    Not all at one moment: while the offer sells, units may move between two of these readings.
    """
    pipeline = client.pipeline(transaction=False)
    for number in keys.bucket_numbers(buckets):
        pipeline.hmget(keys.offer(offer, number), FIELDS)
        pipeline.hgetall(keys.transfers(offer, epoch, number))
    replies: Any = pipeline.execute()
    return [
        read_bucket(number, row, transfers)
        for number, row, transfers in zip(keys.bucket_numbers(buckets), replies[::2], replies[1::2], strict=True)
    ]


def none_left(before: Sequence[Bucket], after: Sequence[Bucket]) -> bool:
    """Whether at some moment between two readings nothing was left in any bucket, or on its way."""
    return all_left(before, after) == 0


def all_left(before: Sequence[Bucket], after: Sequence[Bucket]) -> int | None:
    """What was left in all buckets together at some moment between two readings.

    None when that cannot be told: something has moved between them, or was on its way.
    """
    if [(each.epoch, each.sequence) for each in before] != [(each.epoch, each.sequence) for each in after]:
        return None
    if on_the_way(before) or on_the_way(after):
        return None
    return sum(each.left for each in after)


def finish_all(client: Redis, offer: str, found: Sequence[Bucket]) -> int:
    """Finish the transfers that a reading has found open; how many are finished now.

    Whoever began them may do so at the same time: every step counts once. What comes from or goes to a bucket that
    is closed stays open, as recovery may be looking through it.

    Raises:
        OfferError: the offer is in another epoch, gone, or its transfers contradict each other.
        redis.RedisError: some may be finished; ask again.
    """
    transfers = open_transfers(found)
    if not transfers:
        return 0
    shards = {bucket.number: keys.shard_of(offer, bucket.number) for bucket in found}
    runs = store.run_ids(client, shards.values())
    selling = {bucket.number for bucket in found if bucket.run_id == runs[shards[bucket.number]]}
    return sum(
        _finish(client, offer, found[0].epoch, each, run_id=runs[shards[each.dest]])
        for each in transfers
        if {each.source, each.dest} <= selling
    )


def _finish(client: Redis, offer: str, epoch: int, transfer: Transfer, *, run_id: str) -> bool:
    """Bring an open transfer to its end; False when it stays open, for somebody who comes later."""
    # What one server has forgotten the other must not have: so each step is copied before the next.
    if not _copied(client, keys.shard_of(offer, transfer.source)):
        return False
    word, *_ = scripts.load("receive").call(
        client,
        {
            "offer": keys.offer(offer, transfer.dest),
            "freed": keys.freed(offer, epoch, transfer.dest),
            "transfers": keys.transfers(offer, epoch, transfer.dest),
        },
        {
            "run_id": run_id,
            "epoch": epoch,
            "source": transfer.source,
            "number": transfer.number,
            "units": transfer.units,
        },
    )
    if word == "FENCED":
        return False
    if word not in {"RECEIVED", "REPEATED"}:
        raise OfferError(f"{offer}: bucket {transfer.dest} answered {word} to units of bucket {transfer.source}")
    if not _copied(client, keys.shard_of(offer, transfer.dest)):
        return False
    scripts.load("close").call(
        client,
        {"transfers": keys.transfers(offer, epoch, transfer.source)},
        {"dest": transfer.dest, "number": transfer.number},
    )
    return True


def _copied(client: Redis, shard: int) -> bool:
    """Whether every replica that follows the server of a shard has all that is there now."""
    server = store.server_of(client, shard)
    info: Any = server.info("replication")
    replicas = int(info.get("connected_slaves", 0))
    if not replicas:
        return True
    pipeline = server.pipeline(transaction=False)
    pipeline.incr(keys.marks(shard))
    pipeline.execute_command("WAIT", replicas, COPY_WITHIN_MS)  # type: ignore[no-untyped-call]
    return int(pipeline.execute()[1]) >= replicas

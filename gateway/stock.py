"""Raises and cuts of an offer's stock, once per operation id, over all its buckets. Blocking calls.

A raise is divided. A cut freezes units bucket by bucket until it has enough; if all buckets together have too few,
what was frozen comes back. Every step may be repeated: whoever calls again with the same id goes on after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from gateway import buckets, keys, scripts
from gateway.errors import OfferError

LOOKS = 20
"""So often a cut looks for units that move between two buckets while it takes place."""


@dataclass(frozen=True, slots=True)
class StockChange:
    """What became of a stock operation. `lowest` is set when a cut went below what shoppers hold.

    Until `hold_ms` have passed gateways may still repeat `sold_out`; the next click after that finds the units.
    """

    applied: bool
    stock: int = 0
    left: int = 0
    unit_cap: int = 0
    lowest: int | None = None
    hold_ms: int = field(default=0, compare=False)


class _Missing(Exception):
    """Redis lacks the offer, or one of its buckets."""


def shares(count: int, units: int) -> Iterator[tuple[int, int, int]]:
    """(number, units before it, units) of each of so many buckets: as equal as can be."""
    before = 0
    for index, number in enumerate(keys.bucket_numbers(count)):
        share = (units + count - 1 - index) // count
        yield number, before, share
        before += share


def adjust_stock(
    client: Redis, offer: str, epoch: int, operation_id: str, delta: int, *, lease_ms: int
) -> StockChange | None:
    """Raise (or cut, by a negative delta) an offer's stock, once per operation id; None when Redis lacks it.

    Where the offer has several buckets, the ledger's cap must have grown by `delta` before a raise: its numbers lie
    above all that there are.

    Raises:
        OfferError: Redis has the offer in another epoch, so recovery must look first; or units are moving so much
            that a cut has to be tried again.
    """
    count = int(client.hget(keys.offer(offer), "buckets") or 1)
    work = _Operation(client, offer, epoch, operation_id, lease_ms)
    try:
        if count == 1:
            return _adjust_one(work, delta)
        return _raise(work, count, delta) if delta >= 0 else _cut(work, count, -delta)
    except _Missing:
        return None


@dataclass(frozen=True, slots=True)
class _Operation:
    client: Redis
    offer: str
    epoch: int
    id: str
    lease_ms: int

    def call(self, script: str, bucket: int, **args: Any) -> list[Any]:
        """One step in one bucket.

        Raises:
            OfferError: another epoch. _Missing: Redis lacks the bucket.
        """
        offer, epoch = self.offer, self.epoch
        reply = scripts.load(script).call(
            self.client,
            {
                "offer": keys.offer(offer, bucket),
                "freed": keys.freed(offer, epoch, bucket),
                "retired": keys.retired(offer, epoch, bucket),
                "operations": keys.operations(offer, epoch, bucket),
            },
            {"operation_id": self.id, "epoch": epoch} | args,
        )
        if reply[0] == "MISSING":
            raise _Missing
        if reply[0] == "STALE":
            raise OfferError(f"{offer} is in epoch {reply[1]}, not {epoch}")
        return reply

    def adjust(self, bucket: int, delta: int, allot: int, first: int) -> list[Any]:
        """One step of a raise, or the only one of an offer with one bucket."""
        return self.call("adjust_stock", bucket, delta=delta, lease_ms=self.lease_ms, allot=allot, first=first)

    def read(self, count: int) -> list[buckets.Bucket]:
        """All buckets."""
        found = [each for each in buckets.read_all(self.client, self.offer, self.epoch, count) if each is not None]
        if len(found) < count:
            raise _Missing
        return found

    def applied(self, count: int, hold_ms: int = 0) -> StockChange:
        """What the operator is told of an offer with several buckets."""
        found = self.read(count)
        moving = sum(each.size for each in buckets.on_the_way(found))
        return StockChange(
            applied=True,
            stock=sum(each.stock for each in found) + moving,
            left=sum(each.left for each in found) + moving,
            unit_cap=max(each.unit_cap for each in found),
            hold_ms=hold_ms,
        )


def _adjust_one(work: _Operation, delta: int) -> StockChange:
    word, *numbers = work.adjust(0, delta, 0, 0)
    if word == "TOO_LOW":
        return StockChange(applied=False, lowest=numbers[0])
    hold_ms, stock, left, unit_cap, _ = numbers
    return StockChange(applied=True, stock=stock, left=left, unit_cap=unit_cap, hold_ms=hold_ms)


def _raise(work: _Operation, count: int, delta: int) -> StockChange:
    """The first bucket, which comes first, allots the numbers of all, and says them again to whoever repeats."""
    first = hold_ms = 0
    for bucket, before, units in shares(count, delta):
        _, held_ms, *_, first_here = work.adjust(bucket, units, *((0, first + before) if bucket else (delta, 0)))
        hold_ms = max(hold_ms, held_ms)
        if not bucket:
            first = first_here
            if not first:
                break  # Recovery has built it into every bucket.
    return work.applied(count, hold_ms)


def _cut(work: _Operation, count: int, units: int) -> StockChange:
    frozen = {bucket: _freeze(work, bucket, 0) for bucket in keys.bucket_numbers(count)}
    if None not in frozen.values():
        # As equally as it goes, then wherever there is something.
        for bucket, _, share in shares(count, units):
            frozen[bucket] = _freeze(work, bucket, min(share, (frozen[bucket] or 0) + units - _sum(frozen)))
        for _ in range(LOOKS):
            before = work.read(count)
            for bucket in keys.bucket_numbers(count):
                frozen[bucket] = _freeze(work, bucket, (frozen[bucket] or 0) + units - _sum(frozen))
            if _sum(frozen) == units:
                return work.applied(count)
            if buckets.none_left(before, work.read(count)):
                break
            buckets.finish_all(work.client, work.offer, before)
        else:
            raise OfferError(f"units of {work.offer} are on their way between its buckets: the cut is tried again")
    return _give_back(work, count)


def _sum(frozen: dict[int, int | None]) -> int:
    return sum(each or 0 for each in frozen.values())


def _freeze(work: _Operation, bucket: int, target: int) -> int | None:
    """What the operation has frozen in the bucket, up to a target; None when it was given up before."""
    word, *units = work.call("freeze", bucket, target=target)
    return None if word == "UNDONE" else units[0]


def _give_back(work: _Operation, count: int) -> StockChange:
    """The first bucket first: what is written down there decides that the cut is given up."""
    hold_ms = 0
    for bucket in keys.bucket_numbers(count):
        word, *held_ms = work.call("unfreeze", bucket)
        if word == "UNFROZEN":
            hold_ms = max(hold_ms, held_ms[0])
    held = sum(each.stock - each.left for each in work.read(count))
    return StockChange(applied=False, lowest=held, hold_ms=hold_ms)

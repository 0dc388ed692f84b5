"""Offers in Redis, seen from the control plane: publish, remove, read. Blocking calls; stock is in `gateway.stock`.

The database holds what an offer should be, with a version; Redis follows. Every call here may be repeated:
terms are applied once per version, and stock is seeded only at creation.

A gateway may repeat a refusal for `lease_ms` without asking Redis. A change that opens a sale again therefore
takes effect when every such lease has run out. Publishing returns only then, so the next click finds it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgpack
import orjson
from redis import Redis

from gateway import keys, scripts, store
from gateway.buckets import Bucket, on_the_way
from gateway.buckets import read_all as read_buckets
from gateway.errors import OfferError
from gateway.stock import shares

STATES = ("open", "paused", "terminated")
INSTANT_MAX_MS = 253_370_764_800_000
"""The beginning of the year 9999: in every time zone, an instant up to it can be shown."""
NUMBER_MAX = 10**12
"""Largest price or stock: times a quantity, Lua and JSON still keep it exact."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an offer should be. `card` is for show (name, image, …) plus the audience and its currency."""

    offer: str
    version: int
    epoch: int
    state: str
    starts_at_ms: int
    ends_at_ms: int
    price: int
    limit: int
    pay_within_ms: int
    card: dict[str, Any]
    buckets: int = 1
    """Used when the offer is created; afterwards it has those that it has."""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise OfferError(f"an offer cannot be {self.state!r}")
        if not 0 < self.starts_at_ms < self.ends_at_ms <= INSTANT_MAX_MS:
            raise OfferError("an offer must start before it ends, and end before the year 9999")
        if not 0 <= self.price <= NUMBER_MAX or not 1 <= self.limit <= 1000 or self.pay_within_ms <= 0:
            raise OfferError("price, limit or time to pay is out of range")
        if self.buckets not in keys.BUCKETS:
            raise OfferError(f"an offer cannot have {self.buckets} buckets")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer, or one of its buckets, as Redis has it.

    Counts are units; `sequence` moves with every sale or stock change. `run_ids`: for each bucket, the run on which
    it may sell.
    """

    id: str
    version: int
    epoch: int
    buckets: int
    bucket: int
    run_ids: tuple[str, ...]
    state: str
    starts_at_ms: int
    ends_at_ms: int
    price: int
    limit: int
    pay_within_ms: int
    stock: int
    left: int
    unit_cap: int
    sequence: int
    sold_at_ms: int
    may_return_at_ms: int
    terminated_at_ms: int
    card: dict[str, Any]

    @property
    def held(self) -> int:
        """Units that shoppers hold."""
        return self.stock - self.left

    @property
    def ended_at_ms(self) -> int:
        """When selling ends, or ended early."""
        return self.terminated_at_ms if self.state == "terminated" and self.terminated_at_ms else self.ends_at_ms

    @property
    def run_id(self) -> str:
        """The run on which its first bucket may sell."""
        return self.run_ids[0]

    def together(self, found: Sequence[Bucket | None]) -> Offer:
        """The whole offer: the terms of this bucket, the counts of all of them and of what is on its way."""
        there = [bucket for bucket in found if bucket is not None]
        moving = sum(transfer.size for transfer in on_the_way(there))
        return replace(
            self,
            run_ids=tuple("" if bucket is None else bucket.run_id for bucket in found),
            stock=sum(bucket.stock for bucket in there) + moving,
            left=sum(bucket.left for bucket in there) + moving,
            unit_cap=max((bucket.unit_cap for bucket in there), default=0),
            sequence=sum(bucket.sequence for bucket in there),
            sold_at_ms=max((bucket.sold_at_ms for bucket in there), default=0),
            may_return_at_ms=max((bucket.may_return_at_ms for bucket in there), default=0),
        )

    @classmethod
    def from_hash(cls, fields: dict[bytes, bytes]) -> Offer:
        """Read the hash that `set_offer.lua` and `admit.lua` write."""

        def number(name: bytes) -> int:
            return int(fields.get(name, 0))

        return cls(
            id=fields[b"id"].decode(),
            version=number(b"version"),
            epoch=number(b"epoch"),
            buckets=int(fields.get(b"buckets", 1)),
            bucket=number(b"bucket"),
            run_ids=(fields[b"run_id"].decode(),),
            state=fields[b"state"].decode(),
            starts_at_ms=number(b"starts_at_ms"),
            ends_at_ms=number(b"ends_at_ms"),
            price=number(b"price"),
            limit=number(b"limit"),
            pay_within_ms=number(b"pay_within_ms"),
            stock=number(b"stock"),
            left=number(b"left"),
            unit_cap=number(b"unit_cap"),
            sequence=number(b"sequence"),
            sold_at_ms=number(b"sold_at_ms"),
            may_return_at_ms=number(b"may_return_at_ms"),
            terminated_at_ms=number(b"ended_at_ms"),
            card=orjson.loads(fields[b"card"]),
        )


def run_id(client: Redis, shard: int = 0) -> str:
    """The id of the Redis process that has a shard; it changes with every restart."""
    return store.run_ids(client, [shard])[shard]


def publish(client: Redis, terms: Terms, *, seed: int | None, lease_ms: int) -> str:
    """`publish_all` for one offer."""
    return publish_all(client, [(terms, seed)], lease_ms=lease_ms)[0]


def publish_all(client: Redis, wanted: Sequence[tuple[Terms, int | None]], *, lease_ms: int) -> list[str]:
    """Bring Redis to the terms' versions, all in one go; an absent offer is created where a seed (units) is given.

    Returns:
        Per offer: CREATED, UPDATED, UNCHANGED (that version or a newer one is there) or MISSING (absent, no seed).
    """
    script = scripts.load("set_offer")
    runs: dict[int, str] = {}
    rounds: tuple[list[_Step], list[_Step]] = ([], [])
    for index, (terms, seed) in enumerate(wanted):
        # Whoever looks for an offer looks for its first bucket: so that one comes last.
        for bucket, before, units in shares(terms.buckets, seed or 0):
            shard = keys.shard_of(terms.offer, bucket)
            if seed is not None and shard not in runs:
                runs[shard] = run_id(client, shard)
            args = {
                "id": terms.offer,
                "bucket": bucket,
                "version": terms.version,
                "epoch": terms.epoch,
                "run_id": runs.get(shard, ""),
                "stock": "" if seed is None else units,
                "lease_ms": lease_ms,
                "terms": _packed(terms),
                "buckets": terms.buckets,
                "first": before + 1,
                "unit_cap": seed or 0,
            }
            named = {"offer": keys.offer(terms.offer, bucket), "offers": keys.offers(shard)}
            rounds[bucket == 0].append(_Step(index, named, args))
    words: list[set[str]] = [set() for _ in wanted]
    hold_ms = 0
    for steps in filter(None, rounds):
        pipeline = client.pipeline(transaction=False)
        pipeline.script_load(script.source)
        for step in steps:
            script.queue(pipeline, step.named, step.args)
        for step, reply in zip(steps, pipeline.execute()[1:], strict=True):
            word, held_ms = script.read(reply)
            words[step.place].add(word)
            hold_ms = max(hold_ms, held_ms)
    time.sleep(hold_ms / 1000)
    return [next(word for word in _WORDS if word in said) for said in words]


_WORDS = ("MISSING", "CREATED", "UPDATED", "UNCHANGED")
"""What publishing answers for an offer, by what it says of any of its buckets."""


class _Step(NamedTuple):
    place: int
    named: dict[str, str]
    args: dict[str, Any]


def _packed(terms: Terms) -> bytes:
    fields = {
        "state": terms.state,
        "starts_at_ms": terms.starts_at_ms,
        "ends_at_ms": terms.ends_at_ms,
        "price": terms.price,
        "limit": terms.limit,
        "pay_within_ms": terms.pay_within_ms,
        "card": orjson.dumps(terms.card).decode(),
    }
    # Numbers travel as text: Lua would print large ones in exponent form.
    flat = [part for name, value in fields.items() for part in (name, str(value))]
    packed: bytes = msgpack.packb(flat, use_bin_type=False)
    return packed


def remove(client: Redis, offer: str, epoch: int) -> bool:
    """Take away an offer that is terminated and has never sold; False when it has sold a unit and stays."""
    found = read(client, offer)
    if found is not None and found.sold_at_ms:
        return False
    buckets = 1 if found is None else found.buckets
    # The first bucket last: without it nobody would find the others.
    for bucket in reversed(keys.bucket_numbers(buckets)):
        reply = scripts.load("remove_offer").call(
            client,
            {
                "offer": keys.offer(offer, bucket),
                "offers": keys.offers(keys.shard_of(offer, bucket)),
                "buyers": keys.buyers(offer, epoch, bucket),
                "operations": keys.operations(offer, epoch, bucket),
                "clicks": keys.clicks(offer, bucket),
                "transfers": keys.transfers(offer, epoch, bucket),
            },
            {"id": offer},
        )
        if reply[0] == "SOLD":
            return False
    return True


def read(client: Redis, offer: str) -> Offer | None:
    """The offer as Redis has it now, with all its buckets, or None."""
    return read_all(client, [offer]).get(offer)


def read_all(client: Redis, ids: Sequence[str]) -> dict[str, Offer]:
    """Those of some offers that Redis has, each with all its buckets."""
    pipeline = client.pipeline(transaction=False)
    for offer in ids:
        pipeline.hgetall(keys.offer(offer))
    rows: Any = pipeline.execute() if ids else []
    found = {offer: Offer.from_hash(fields) for offer, fields in zip(ids, rows, strict=True) if fields}
    for one in [each for each in found.values() if each.buckets > 1]:
        found[one.id] = one.together(read_buckets(client, one.id, one.epoch, one.buckets))
    return found


def clicks_by_outcome(client: Redis, offer: str) -> dict[str, int]:
    """Clicks by outcome since the offer was created; a gateway reports once a second."""
    return clicks_of_all(client, {offer: int(client.hget(keys.offer(offer), "buckets") or 1)})[offer]


def clicks_of_all(client: Redis, buckets: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The same of some offers, each with so many buckets, in one go."""
    places = [(offer, bucket) for offer, count in buckets.items() for bucket in keys.bucket_numbers(count)]
    pipeline = client.pipeline(transaction=False)
    for place in places:
        pipeline.hgetall(keys.clicks(*place))
    replies: Any = pipeline.execute() if places else []
    totals: dict[str, Counter[str]] = {offer: Counter() for offer in buckets}
    for (offer, _), counts in zip(places, replies, strict=True):
        totals[offer].update({name.decode(): int(count) for name, count in counts.items()})
    return {offer: dict(total) for offer, total in totals.items()}

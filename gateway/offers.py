"""Offers in Redis, seen from the control plane: publish, adjust stock, remove, read. Blocking calls.

The database holds what an offer should be, with a version; Redis follows. Every call here may be repeated:
terms are applied once per version, stock changes once per operation id, and stock is seeded only at creation.

A gateway may repeat a refusal for `lease_ms` without asking Redis. A change that opens a sale again therefore
takes effect when every such lease has run out. Publishing returns only then, so the next click finds it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
import orjson
from redis import Redis

from gateway import keys, scripts
from gateway.errors import OfferError

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

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise OfferError(f"an offer cannot be {self.state!r}")
        if not 0 < self.starts_at_ms < self.ends_at_ms <= INSTANT_MAX_MS:
            raise OfferError("an offer must start before it ends, and end before the year 9999")
        if not 0 <= self.price <= NUMBER_MAX or not 1 <= self.limit <= 1000 or self.pay_within_ms <= 0:
            raise OfferError("price, limit or time to pay is out of range")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as Redis has it. Counts are units; `sequence` moves with every sale or stock change."""

    id: str
    version: int
    epoch: int
    run_id: str
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

    @classmethod
    def from_hash(cls, fields: dict[bytes, bytes]) -> Offer:
        """Read the hash that `set_offer.lua` and `admit.lua` write."""

        def number(name: bytes) -> int:
            return int(fields.get(name, 0))

        return cls(
            id=fields[b"id"].decode(),
            version=number(b"version"),
            epoch=number(b"epoch"),
            run_id=fields[b"run_id"].decode(),
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


def run_id(client: Redis) -> str:
    """The id of the Redis process; it changes with every restart."""
    info: Any = client.info("server")
    return str(info["run_id"])


def publish(client: Redis, terms: Terms, *, seed: int | None, lease_ms: int) -> str:
    """`publish_all` for one offer."""
    return publish_all(client, [(terms, seed)], lease_ms=lease_ms)[0]


def publish_all(client: Redis, wanted: Sequence[tuple[Terms, int | None]], *, lease_ms: int) -> list[str]:
    """Bring Redis to the terms' versions, all in one go; an absent offer is created where a seed (units) is given.

    Returns:
        Per offer: CREATED, UPDATED, UNCHANGED (that version or a newer one is there) or MISSING (absent, no seed).
    """
    script = scripts.load("set_offer")
    run = run_id(client) if any(seed is not None for _, seed in wanted) else ""
    pipeline = client.pipeline(transaction=False)
    pipeline.script_load(script.source)
    for terms, seed in wanted:
        script.queue(
            pipeline,
            {"offer": keys.offer(terms.offer), "offers": keys.offers(keys.shard_of(terms.offer))},
            {
                "id": terms.offer,
                "bucket": 0,
                "version": terms.version,
                "epoch": terms.epoch,
                "run_id": run,
                "stock": "" if seed is None else seed,
                "lease_ms": lease_ms,
                "terms": _packed(terms),
            },
        )
    replies = [script.read(reply) for reply in pipeline.execute()[1:]]
    time.sleep(max((hold_ms for _, hold_ms in replies), default=0) / 1000)
    return [word for word, _ in replies]


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


def adjust_stock(
    client: Redis, offer: str, epoch: int, operation_id: str, delta: int, *, lease_ms: int
) -> StockChange | None:
    """Raise (or cut, by a negative delta) an offer's stock, once per operation id; None when Redis lacks it.

    Raises:
        OfferError: Redis has the offer in another epoch, so recovery must look first.
    """
    word, *numbers = scripts.load("adjust_stock").call(
        client,
        {
            "offer": keys.offer(offer),
            "freed": keys.freed(offer, epoch),
            "retired": keys.retired(offer, epoch),
            "operations": keys.operations(offer, epoch),
        },
        {"operation_id": operation_id, "delta": delta, "epoch": epoch, "lease_ms": lease_ms},
    )
    if word == "MISSING":
        return None
    if word == "STALE":
        raise OfferError(f"{offer} is in epoch {numbers[0]}, not {epoch}")
    if word == "TOO_LOW":
        return StockChange(applied=False, lowest=numbers[0])
    hold_ms, stock, left, unit_cap = numbers
    return StockChange(applied=True, stock=stock, left=left, unit_cap=unit_cap, hold_ms=hold_ms)


def remove(client: Redis, offer: str, epoch: int) -> bool:
    """Take away an offer that has never sold; False when it has sold a unit and stays."""
    reply = scripts.load("remove_offer").call(
        client,
        {
            "offer": keys.offer(offer),
            "offers": keys.offers(keys.shard_of(offer)),
            "buyers": keys.buyers(offer, epoch),
            "operations": keys.operations(offer, epoch),
            "clicks": keys.clicks(offer),
        },
        {"id": offer},
    )
    return str(reply[0]) != "SOLD"


def read(client: Redis, offer: str) -> Offer | None:
    """The offer as Redis has it now, or None."""
    fields: Any = client.hgetall(keys.offer(offer))
    return Offer.from_hash(fields) if fields else None


def read_all(client: Redis, ids: Sequence[str]) -> dict[str, Offer]:
    """Those of some offers that Redis has, in one go."""
    pipeline = client.pipeline(transaction=False)
    for offer in ids:
        pipeline.hgetall(keys.offer(offer))
    rows: Any = pipeline.execute() if ids else []
    return {offer: Offer.from_hash(fields) for offer, fields in zip(ids, rows, strict=True) if fields}


def clicks_by_outcome(client: Redis, offer: str) -> dict[str, int]:
    """Clicks by outcome since the offer was created; a gateway reports once a second."""
    counts: Any = client.hgetall(keys.clicks(offer))
    return {name.decode(): int(count) for name, count in counts.items()}

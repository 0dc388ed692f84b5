"""What shoppers see of offers: states and counts, never older than a second, read from Redis once for many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from gateway import keys
from gateway.admission.gate import Gate
from gateway.admission.gathering import read_buckets
from gateway.offers import Offer
from gateway.times import iso

FRESH_S = 0.5
"""Age up to which a copy is shown again; with the reading itself it stays below one second."""

CHUNK = 500
KNOWN_MAX = 50_000

STATES = ("running", "sold_out", "paused", "unavailable", "upcoming", "ended")
"""Every state, in the order of the list."""

_MOVING = ("version", "epoch", "stock", "left", "sequence", "run_id", "may_return_at_ms")


class OffersView:
    """Copies of offers with their age. One reading serves everybody who asks meanwhile."""

    def __init__(self, gate: Gate, timezone: ZoneInfo) -> None:
        self._gate = gate
        self._timezone = timezone
        self._offers: dict[str, Offer] = {}
        self._read_s: dict[str, float] = {}
        self._ids: list[str] = []
        self._ids_read_s = 0.0
        self._reading: dict[str, asyncio.Task[Offer | None]] = {}
        self._listing: asyncio.Task[list[Offer]] | None = None

    async def offer(self, offer_id: str) -> Offer | None:
        """One offer, at most `FRESH_S` old.

        Raises:
            RedisProblem: Redis could not be asked.
        """
        if time.monotonic() - self._read_s.get(offer_id, 0.0) < FRESH_S:
            return self._offers.get(offer_id)
        reading = self._reading.get(offer_id)
        if reading is None:
            reading = self._reading[offer_id] = asyncio.ensure_future(self._read_one(offer_id))
            reading.add_done_callback(lambda _: self._reading.pop(offer_id, None))
        return await asyncio.shield(reading)

    async def _read_one(self, offer_id: str) -> Offer | None:
        started_s = time.monotonic()
        offer = await self._gate.read_offer(offer_id)
        if offer is None:
            self._offers.pop(offer_id, None)
            self._read_s.pop(offer_id, None)
        else:
            self._remember(offer, started_s)
        return offer

    def _remember(self, offer: Offer, read_s: float) -> None:
        if len(self._offers) >= KNOWN_MAX and offer.id not in self._offers:
            self._offers.clear()
            self._read_s.clear()
        self._offers[offer.id] = offer
        self._read_s[offer.id] = read_s

    async def read(self, offer_ids: list[str]) -> list[Offer]:
        """Those of these offers that there are, as they are now; few round trips for many of them.

        Raises:
            RedisProblem: Redis could not be asked.
        """
        for start in range(0, len(offer_ids), CHUNK):
            await self._refresh(offer_ids[start : start + CHUNK], time.monotonic())
        return [self._offers[offer_id] for offer_id in offer_ids if offer_id in self._offers]

    async def all(self) -> list[Offer]:
        """Every offer there is, at most `FRESH_S` old.

        Raises:
            RedisProblem: Redis could not be asked.
        """
        if time.monotonic() - self._ids_read_s < FRESH_S:
            return [self._offers[offer_id] for offer_id in self._ids if offer_id in self._offers]
        if self._listing is None:
            self._listing = asyncio.ensure_future(self._read_all())
            self._listing.add_done_callback(self._listing_done)
        return await asyncio.shield(self._listing)

    def _listing_done(self, _: asyncio.Task[list[Offer]]) -> None:
        self._listing = None

    async def _read_all(self) -> list[Offer]:
        started_s = time.monotonic()
        sets = await self._gate.pipeline([(shard, ("SMEMBERS", keys.offers(shard))) for shard in keys.shards()])
        ids = sorted(offer_id.decode() for members in sets for offer_id in members)
        for start in range(0, len(ids), CHUNK):
            await self._refresh(ids[start : start + CHUNK], started_s)
        self._ids, self._ids_read_s = ids, started_s
        return [self._offers[offer_id] for offer_id in ids if offer_id in self._offers]

    async def _refresh(self, ids: list[str], read_s: float) -> None:
        """Bring copies up to date: what moves is read always, the rest only with a new version."""
        rows = await self._gate.pipeline(
            [(keys.shard_of(offer_id), ("HMGET", keys.offer(offer_id), *_MOVING)) for offer_id in ids]
        )
        changed, divided = [], []
        for offer_id, row in zip(ids, rows, strict=True):
            known = self._offers.get(offer_id)
            if row[0] is None:
                self._offers.pop(offer_id, None)
            elif known is None or (known.version, known.epoch) != (int(row[0]), int(row[1])):
                changed.append(offer_id)
            elif known.buckets > 1:
                divided.append(known)
            else:
                self._remember(_moved(known, row), read_s)
        hashes = await self._gate.pipeline(
            [(keys.shard_of(offer_id), ("HGETALL", keys.offer(offer_id))) for offer_id in changed]
        )
        for offer in (Offer.from_hash(dict(zip(flat[::2], flat[1::2], strict=True))) for flat in hashes if flat):
            if offer.buckets > 1:
                divided.append(offer)
            else:
                self._remember(offer, read_s)
        if divided:
            for offer, parts in zip(divided, await read_buckets(self._gate, divided), strict=True):
                self._remember(offer.together(parts), read_s)

    def state(self, offer: Offer, now_ms: int) -> str:
        """The offer's state in the shopper's words."""
        if offer.state == "terminated" or now_ms >= offer.ends_at_ms:
            return "ended"
        if not self._may_sell(offer):
            return "unavailable"
        if offer.state == "paused":
            return "paused"
        if now_ms < offer.starts_at_ms:
            return "upcoming"
        return "running" if offer.left > 0 else "sold_out"

    def _may_sell(self, offer: Offer) -> bool:
        """Whether all its buckets may."""
        for number, run_id in zip(keys.bucket_numbers(offer.buckets), offer.run_ids, strict=True):
            shard = keys.shard_of(offer.id, number)
            if self._gate.problems_of(shard) or run_id != self._gate.primary_of(shard).run_id:
                return False
        return True

    def state_now(self, offer: Offer) -> str:
        """The offer's state in the shopper's words, by Redis' clock."""
        return self.state(offer, self._gate.now_ms(offer.id))

    def status(self, offer: Offer) -> dict[str, Any]:
        """Everything that is shown of an offer."""
        now_ms = self._gate.now_ms(offer.id)
        card = offer.card
        return {
            "id": offer.id,
            "state": self.state(offer, now_ms),
            "starts_at": iso(offer.starts_at_ms, self._timezone),
            "ends_at": iso(offer.ended_at_ms, self._timezone),
            "server_time": iso(now_ms, self._timezone),
            "sku": card.get("sku"),
            "name": card.get("name"),
            "image": card.get("image"),
            "price": offer.price,
            "original_price": card.get("original_price"),
            "currency": card.get("currency"),
            "stock": offer.stock,
            "left": offer.left,
            "sold_percent": 100 * offer.held // offer.stock if offer.stock else 100,
            "limit": offer.limit,
            "slogan": card.get("slogan"),
            "category": card.get("category"),
            "session": card.get("session"),
        }

    def ordered(self, offers: Iterable[Offer]) -> list[tuple[tuple[int, int, str], Offer]]:
        """Offers with their sort keys: running first, then by start and id."""
        return sorted(
            (((STATES.index(self.state_now(offer)), offer.starts_at_ms, offer.id), offer) for offer in offers),
            key=lambda pair: pair[0],
        )


def _moved(offer: Offer, row: list[bytes | None]) -> Offer:
    _, _, stock, left, sequence, run_id, may_return_at_ms = row
    return replace(
        offer,
        stock=int(stock or 0),
        left=int(left or 0),
        sequence=int(sequence or 0),
        run_ids=((run_id or b"").decode(),),
        may_return_at_ms=int(may_return_at_ms or 0),
    )

"""Clicks that were answered `unknown`, told to all workers: until their deadline has passed, `mine` says `pending`.

A worker registers them in Redis over its other connection before it answers, and goes on trying when that does
not work at once. What remains: while this worker cannot reach Redis at all and another one can, the other says
`none` of a click that Redis may still be about to decide; for no longer than the click's deadline.
"""

from __future__ import annotations

import asyncio

from gateway import keys
from gateway.admission.connections import Connections
from gateway.errors import RedisProblem

KEEP_MS = 600_000
"""When the last registration of an offer is that old, its set goes; longer than any deadline is ahead."""
CLOCK_MARGIN_MS = 1000
"""By so much this worker's idea of Redis time may be wrong at most."""
TRY_EVERY_S = 0.02


class Unsettled:
    """One worker's part in the register."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._unregistered: dict[tuple[str, bytes], int] = {}

    async def register(self, offer_id: str, bucket: int, shoppers: list[bytes], deadline_ms: int) -> None:
        """Note the shoppers of a batch, trying until its deadline (epoch ms of Redis) has passed."""
        for shopper in shoppers:
            self._unregistered[offer_id, shopper] = deadline_ms
        key = keys.unsettled(offer_id, bucket)
        pairs = [part for shopper in shoppers for part in (deadline_ms, shopper)]
        shard = keys.shard_of(offer_id, bucket)
        clock = self._connections.primary_of(shard).clock
        while (now_ms := clock.now_ms()) <= deadline_ms:
            try:
                await self._connections.primary_of(shard).side.pipeline(
                    [
                        ("ZREMRANGEBYSCORE", key, "-inf", now_ms - CLOCK_MARGIN_MS),
                        # Another worker may have noted a later deadline.
                        ("ZADD", key, "GT", *pairs),
                        ("PEXPIRE", key, KEEP_MS),
                    ]
                )
                break
            except RedisProblem:
                await asyncio.sleep(TRY_EVERY_S)
        for shopper in shoppers:
            if self._unregistered.get((offer_id, shopper)) == deadline_ms:
                del self._unregistered[offer_id, shopper]

    def until_ms(self, offer_id: str, shopper: bytes, registered: bytes | None, now_ms: int) -> int | None:
        """When the shopper's open click is settled; None when there is none.

        Args:
            offer_id: the offer clicked on.
            shopper: who clicked.
            registered: what Redis has in the register for the shopper.
            now_ms: Redis time before the register was read.
        """
        latest = max(int(registered or 0), self._unregistered.get((offer_id, shopper), 0))
        return latest if latest >= now_ms else None

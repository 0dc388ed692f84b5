"""Copies of winners for the shields of one worker's lanes: exact, or none at all, and not too many of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from gateway import keys
from gateway.admission.batch import Lane
from gateway.errors import RedisProblem

log = logging.getLogger(__name__)

SCAN_COUNT = 500


class Winners:
    """Fetches copies. `winners_max`: so many are kept, of all lanes together."""

    def __init__(self, lanes: Callable[[], Iterable[Lane]], winners_max: int) -> None:
        self._lanes = lanes
        self._winners_max = winners_max

    async def copy(self, lane: Lane) -> None:
        """Copy all winners of a lane, if they are not too many and nobody wins meanwhile: else it is not exact."""
        offer = lane.offer
        buyers = keys.buyers(offer.id, offer.epoch, offer.bucket)
        state = ("HMGET", keys.offer(offer.id, offer.bucket), "sequence", "epoch")
        try:
            side = lane.primary.side
            before, count = await side.pipeline([state, ("HLEN", buyers)])
            if not self._make_room(lane, count):
                return
            winners: set[bytes] = set()
            cursor: bytes | int = 0
            while True:
                cursor, flat = await side.request("HSCAN", buyers, cursor, "COUNT", SCAN_COUNT)
                winners.update(flat[::2])
                if cursor == b"0":
                    break
            after = await side.request(*state)
        except RedisProblem as problem:
            log.warning("winners of %s cannot be read: %s", offer.id, problem)
            return
        sequence, epoch = before
        # After a recovery the winners of this epoch are no longer those of the sequence.
        if before == after and epoch == str(offer.epoch).encode() and len(winners) == count:
            lane.shield.know_winners(frozenset(winners), int(sequence))

    def _make_room(self, wanting: Lane, count: int) -> bool:
        """Whether `count` more winners may be copied; copies that no lease uses make way."""
        others = [lane.shield for lane in self._lanes() if lane is not wanting]
        room = self._winners_max - count
        if room < 0:
            return False
        now_s = time.monotonic()
        for shield in others:
            if sum(other.winners_count for other in others) <= room:
                break
            if shield.lease is None or shield.lease.until_s < now_s:
                shield.forget_winners()
        return sum(other.winners_count for other in others) <= room

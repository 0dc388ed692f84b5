"""Redis time, estimated from its replies, so that deadlines mean the same on both sides."""

from __future__ import annotations

import time


class RedisClock:
    """Redis time as an offset from this process's monotonic clock; both in milliseconds."""

    __slots__ = ("_offset_ms",)

    def __init__(self) -> None:
        # Until the first reply, the local wall clock is the best guess.
        self._offset_ms = (time.time() - time.monotonic()) * 1000

    def learn(self, redis_ms: int, sent_s: float, received_s: float) -> None:
        """Take over the time of a reply that was asked for at `sent_s` and came at `received_s` (monotonic)."""
        self._offset_ms = redis_ms - (sent_s + received_s) * 500

    def now_ms(self) -> int:
        """Redis time now, epoch milliseconds; off by at most half a round trip."""
        return int(time.monotonic() * 1000 + self._offset_ms)

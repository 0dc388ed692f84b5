"""Limits that need no Redis: clicks per client address and clicks in all, per worker."""

from __future__ import annotations

import time

from gateway.addresses import ADDRESSES_MAX, ClientAddress
from gateway.settings import IPNetwork, Rate

_OVERFLOW = "overflow"

Count = list[int]
"""One number that whoever holds it may raise."""


class WindowLimit:
    """So many in a fixed window, counted by key. A burst across an edge may be twice the rate: a loose bound."""

    __slots__ = ("_counts", "_window_s", "active", "ends_s", "limit")

    def __init__(self, rate: Rate) -> None:
        self.active = rate.count > 0
        """Whether there is a limit at all."""
        self.limit = rate.count
        self._window_s = rate.window_ms / 1000
        self.ends_s = 0.0
        """When the window ends, and all its counts with it (monotonic)."""
        self._counts: dict[str, Count] = {}

    def begin(self, now_s: float) -> None:
        """Begin another window."""
        self._counts = {}
        self.ends_s = now_s + self._window_s

    def count_of(self, key: str) -> Count:
        """The count of a key in this window; beyond `ADDRESSES_MAX` keys, all further ones share one."""
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= ADDRESSES_MAX:
                key = _OVERFLOW
            count = self._counts.setdefault(key, [0])
        return count

    def wait_ms(self, key: str, now_s: float) -> int:
        """Count one; 0 when it is within the limit, else the milliseconds until the window ends."""
        if now_s >= self.ends_s:
            self.begin(now_s)
        count = self.count_of(key)
        count[0] += 1
        return 0 if count[0] <= self.limit else self.rest_ms(now_s)

    def rest_ms(self, now_s: float) -> int:
        """Milliseconds until the window ends, at least one."""
        return max(1, int((self.ends_s - now_s) * 1000))


class LocalLimits:
    """Both local limits. A refusal here is temporary and says nothing about tickets."""

    __slots__ = ("_address", "_counts", "_per_address", "_total", "active")

    def __init__(self, per_address: Rate, total: Rate, trusted: tuple[IPNetwork, ...]) -> None:
        self._per_address = WindowLimit(per_address)
        self._total = WindowLimit(total)
        self._address = ClientAddress(trusted)
        # Of open connections, in the window that runs: a connection clicks more than once.
        self._counts: dict[str, Count] = {}
        self.active = self._per_address.active or self._total.active

    def wait_ms(self, peer: str, forwarded_for: str | None) -> int:
        """0 when the click may go on, else how long to wait. `peer` is an address and a port."""
        now_s = time.monotonic()
        limit = self._per_address
        if limit.active:
            if now_s >= limit.ends_s:
                limit.begin(now_s)
                self._counts = {}
            count = self._counts.get(peer) if forwarded_for is None else None
            if count is None:
                count = self._count(peer, forwarded_for)
            count[0] += 1
            if count[0] > limit.limit:
                return limit.rest_ms(now_s)
        return self._total.wait_ms("", now_s) if self._total.active else 0

    def _count(self, peer: str, forwarded_for: str | None) -> Count:
        key = self._address.key(peer.rpartition(":")[0].strip("[]"), forwarded_for)
        count = self._per_address.count_of(key)
        if forwarded_for is None:
            if len(self._counts) >= ADDRESSES_MAX:
                self._counts.clear()
            self._counts[peer] = count
        return count

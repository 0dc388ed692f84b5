"""Limits that need no Redis: clicks per client address and clicks in all, per worker."""

from __future__ import annotations

import time

from gateway.addresses import ADDRESSES_MAX, ClientAddress
from gateway.settings import IPNetwork, Rate

_OVERFLOW = "overflow"


class WindowLimit:
    """So many in a fixed window, counted by key. A burst across an edge may be twice the rate: a loose bound."""

    __slots__ = ("_counts", "_ends_s", "_limit", "_window_s", "active")

    def __init__(self, rate: Rate) -> None:
        self.active = rate.count > 0
        """Whether there is a limit at all."""
        self._limit = rate.count
        self._window_s = rate.window_ms / 1000
        self._ends_s = 0.0
        self._counts: dict[str, int] = {}

    def wait_ms(self, key: str, now_s: float) -> int:
        """Count one; 0 when it is within the limit, else the milliseconds until the window ends."""
        if now_s >= self._ends_s:
            self._counts = {}
            self._ends_s = now_s + self._window_s
        counts = self._counts
        if key in counts:
            counts[key] = count = counts[key] + 1
        else:
            if len(counts) >= ADDRESSES_MAX:
                key = _OVERFLOW
            counts[key] = count = counts.get(key, 0) + 1
        if count <= self._limit:
            return 0
        return max(1, int((self._ends_s - now_s) * 1000))


class LocalLimits:
    """Both local limits. A refusal here is temporary and says nothing about tickets."""

    __slots__ = ("_address", "_keys", "_per_address", "_total", "active")

    def __init__(self, per_address: Rate, total: Rate, trusted: tuple[IPNetwork, ...]) -> None:
        self._per_address = WindowLimit(per_address)
        self._total = WindowLimit(total)
        self._address = ClientAddress(trusted)
        # Keys of open connections: a connection clicks more than once.
        self._keys: dict[str, str] = {}
        self.active = self._per_address.active or self._total.active

    def wait_ms(self, peer: str, forwarded_for: str | None) -> int:
        """0 when the click may go on, else how long to wait. `peer` is an address and a port."""
        now_s = time.monotonic()
        per_address, total = self._per_address, self._total
        if per_address.active:
            key = self._keys.get(peer) if forwarded_for is None else None
            wait_ms = per_address.wait_ms(key or self._key(peer, forwarded_for), now_s)
            if wait_ms:
                return wait_ms
        return total.wait_ms("", now_s) if total.active else 0

    def _key(self, peer: str, forwarded_for: str | None) -> str:
        key = self._address.key(peer.rpartition(":")[0].strip("[]"), forwarded_for)
        if forwarded_for is None:
            if len(self._keys) >= ADDRESSES_MAX:
                self._keys.clear()
            self._keys[peer] = key
        return key

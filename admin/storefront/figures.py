"""What the gateway has sold of its offers, read from Redis once for everybody who looks within a moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping

from redis import Redis
from redis.exceptions import RedisError

from gateway import offers
from gateway.offers import Offer

KEPT_S = 0.5
"""How old what is shown may be."""
KNOWN_MAX = 10_000

_log = logging.getLogger(__name__)


class Figures:
    """Offers as Redis had them a moment ago."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Offer | None]] = {}
        # Held while it is read, so that those who want the same wait for it.
        self._reading = threading.Lock()

    def of(self, client: Redis, ids: Iterable[str]) -> Mapping[str, Offer]:
        """Those of some offers that Redis has; none while it is away, as pages are shown all the same."""
        wanted = list(ids)
        with self._reading:
            now_s = time.monotonic()
            stale = [each for each in wanted if now_s - self._known.get(each, (float("-inf"), None))[0] >= KEPT_S]
            if stale:
                if len(self._known) > KNOWN_MAX:
                    self._known.clear()
                try:
                    found = offers.read_all(client, stale)
                except RedisError as problem:
                    _log.warning("the figures of flash sales cannot be read: %s", problem)
                    return {}
                self._known.update({each: (now_s, found.get(each)) for each in stale})
            known = ((each, self._known.get(each)) for each in wanted)
            return {each: held[1] for each, held in known if held is not None and held[1] is not None}

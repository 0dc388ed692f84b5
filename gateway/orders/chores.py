"""What has to be done beside writing: unpaid orders expire, their units go back, shoppers hear when the next may.

A thread of its own with its own connections, so that winners are written meanwhile. After each piece of a
backlog it rests as long as it worked, so that it never takes more than half of what the writers need too.
"""

from __future__ import annotations

import logging
import threading
import time

from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway import store
from gateway.orders import expiry, releases
from gateway.orders.may_return import MayReturn
from gateway.orders.pacing import Outage, Timer
from gateway.settings import Settings

EVERY_S = 0.25
"""Between two rounds when nothing is left over."""
LOOK_EVERY_S = 0.5
"""How often every offer with unpaid orders is looked at."""
PRUNE_EVERY_S = 10.0
CLOSED_EVERY_S = 1.0
"""How often units of an offer are offered again to a Redis that could not take them."""
REDIS_TIMEOUT_S = 2.0
BACKOFF_MAX_S = 2.0

log = logging.getLogger(__name__)


class Chores:
    """One round after the other until stopped. Any number of processes may do the same at once."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        """Raises SettingsError when the Redis URL has an unknown scheme."""
        self._engine = engine
        self._lease_ms = settings.lease_ms
        self._client = store.connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S)
        self._may_return = MayReturn(self._client, engine)
        self._look_timer = Timer(LOOK_EVERY_S)
        self._unpaid: list[expiry.Unpaid] = []
        self._looked_at_ms = 0
        self._due: list[str] = []
        self._after: int | None = None
        self._closed: set[str] = set()
        self._closed_timer = Timer(CLOSED_EVERY_S)
        self._stop = threading.Event()
        self._prune_timer = Timer(PRUNE_EVERY_S)
        # The writers say it when a part is away.
        self._redis = Outage("Redis", BACKOFF_MAX_S, "", speaks=False)
        self._database = Outage("the database", BACKOFF_MAX_S, "", speaks=False)
        self._redis_until = 0.0

    def stop(self) -> None:
        """Finish the piece under way and return from `run`; safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Make rounds until stopped, whatever goes away and comes back."""
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                more = self._round()
                self._database.worked()
                wait_s = time.monotonic() - began if more else EVERY_S
            except SQLAlchemyError as error:
                wait_s = self._database.failed(error)
            self._stop.wait(wait_s)
        self._client.close()

    def _round(self) -> bool:
        """One piece of each; whether something is left over."""
        if self._look_timer.due():
            self._unpaid, self._looked_at_ms = expiry.first_unpaid(self._engine)
            due = (each for each in self._unpaid if each.expire_at_ms <= self._looked_at_ms)
            self._due = [each.offer for each in sorted(due, key=lambda each: each.expire_at_ms)]
        if self._due:
            self._expire()
        if self._prune_timer.due():
            releases.prune(self._engine)
        if time.monotonic() < self._redis_until:
            return bool(self._due)
        try:
            self._release()
            self._may_return.publish(self._unpaid, self._looked_at_ms)
            self._redis.worked()
        except RedisError as error:
            # Orders expire without it; their units wait in the ledger.
            self._redis_until = time.monotonic() + self._redis.failed(error)
        return bool(self._due) or self._after is not None

    def _expire(self) -> None:
        expired = expiry.expire(self._engine, self._due[: expiry.OFFERS_TOGETHER])
        if expired < expiry.TOGETHER:
            del self._due[: expiry.OFFERS_TOGETHER]
        if expired:
            log.info("expired orders=%d", expired)

    def _release(self) -> None:
        if self._closed_timer.due():
            self._closed = set()
        applied = releases.apply_waiting(
            self._engine,
            self._client,
            lease_ms=self._lease_ms,
            after=self._after or 0,
            without=self._closed,
        )
        self._after = applied.after
        self._closed |= applied.closed
        if applied.units:
            log.info("given back units=%d orders=%d", applied.units, applied.done)

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
        found, now_ms = expiry.first_unpaid(self._engine)
        due = sorted((each for each in found if each.expire_at_ms <= now_ms), key=lambda each: each.expire_at_ms)
        ids = [each.offer for each in due[: expiry.OFFERS_TOGETHER]]
        expired = expiry.expire(self._engine, ids) if ids else 0
        if expired:
            log.info("expired orders=%d", expired)
        if self._prune_timer.due():
            releases.prune(self._engine)
        more = expired >= expiry.TOGETHER or len(due) > len(ids)
        if time.monotonic() < self._redis_until:
            return more
        try:
            self._release()
            self._may_return.publish(found, now_ms)
            self._redis.worked()
        except RedisError as error:
            # Orders expire without it; their units wait in the ledger.
            self._redis_until = time.monotonic() + self._redis.failed(error)
        return more or self._after is not None

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

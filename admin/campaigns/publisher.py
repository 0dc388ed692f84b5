"""The publisher: a thread that finishes what a crash or an outage left between the database and Redis."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from admin.campaigns import publishing, removal, settling, stock
from admin.errors import Lost
from admin.resources import Resources
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import offers

INTERVAL_S = 0.5
"""Between two rounds."""
SLOW_INTERVAL_S = 5.0
"""Between two rounds of what nobody waits for: returning unsold units, looking for lost offers."""
STUCK_AFTER_S = 10.0
"""Without a round that came to its end for so long, the publisher is called stuck."""
ROUND_MAX = 500
"""Pieces of work of one kind in one round."""

WorkT = TypeVar("WorkT")
_log = logging.getLogger(__name__)


class Publisher:
    """Makes rounds over unfinished work. Any number may run at once, in any number of processes."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._finished_at = time.monotonic()
        self._slow_at = float("-inf")
        self._complaint = ""
        self.lost: frozenset[str] = frozenset()
        """Offers that should be in Redis and are not; they wait for recovery."""

    def start(self) -> None:
        """Begin making rounds; the first one at once, for what an earlier process left."""
        self._finished_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def complaints(self) -> list[str]:
        """Why the publisher cannot keep up, if it cannot."""
        reasons = []
        idle_s = time.monotonic() - self._finished_at
        if self._thread is None or not self._thread.is_alive():
            reasons.append("the publisher does not run")
        elif idle_s > STUCK_AFTER_S:
            reasons.append(f"the publisher is stuck for {idle_s:.0f} s: {self._complaint or 'no round ended'}")
        reasons += [f"Redis has lost the offer {offer}, which waits for recovery" for offer in sorted(self.lost)]
        return reasons

    def round(self) -> None:
        """Finish whatever is unfinished, once.

        Raises:
            RedisError, SQLAlchemyError: a store cannot be used; the work stays for the next round.
        """
        resources = self._resources
        lost: set[str] = set()
        waiting = publishing.unpublished(resources, ROUND_MAX)
        self._each(waiting, lambda offer: publishing.publish(resources, [offer]), lost)
        self._each(stock.pending(resources, ROUND_MAX), lambda each: stock.apply(resources, each), lost)
        self._each(removal.requested(resources, ROUND_MAX), lambda each: removal.remove(resources, each), lost)
        if time.monotonic() - self._slow_at >= SLOW_INTERVAL_S:
            self._each(settling.due(resources, ROUND_MAX), lambda each: settling.settle(resources, each), lost)
            self.lost = self._missing()
            self._slow_at = time.monotonic()
        self.lost = self.lost | lost
        self._finished_at = time.monotonic()
        self._complaint = ""

    def _each(self, work: Iterable[WorkT], step: Callable[[WorkT], object], lost: set[str]) -> None:
        for piece in work:
            if self._stop.is_set():
                return
            try:
                step(piece)
            except Lost as error:
                lost.add(error.offer)

    def _missing(self) -> frozenset[str]:
        """Offers on sale, now or later, that Redis should have and does not."""
        with reading(self._resources.engine) as connection:
            live = connection.execute(
                select(offers.c.id).where(
                    offers.c.seeded, offers.c.state != "terminated", offers.c.ends_at_ms > now_ms(connection)
                )
            ).scalars()
            ids = list(live)
        return publishing.absent(self._resources, ids)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.round()
            except (*publishing.FAILURES, SQLAlchemyError) as error:
                self._complain(error)
            except Exception as error:
                # Nobody else would finish the work, so the thread outlives what it does not understand.
                _log.exception("a round of the publisher failed")
                self._complaint = repr(error)
            self._stop.wait(INTERVAL_S)

    def _complain(self, error: Exception) -> None:
        text = str(error).splitlines()[0] if str(error) else repr(error)
        if text != self._complaint:
            _log.warning("the publisher will try again: %s", text)
        self._complaint = text

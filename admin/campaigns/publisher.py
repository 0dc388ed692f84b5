"""The publisher: a thread that finishes what a crash or an outage left between the database and Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import select

from admin.campaigns import publishing, removal, settling, stock
from admin.errors import Lost
from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import offers

SLOW_INTERVAL_S = 5.0
"""Between two rounds of what nobody waits for: returning unsold units, looking for lost offers."""
ROUND_MAX = 500
"""Pieces of work of one kind in one round."""

WorkT = TypeVar("WorkT")


class Publisher(Rounds):
    """Makes rounds over unfinished work. Any number may run at once, in any number of processes."""

    name = "publisher"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._slow_at = float("-inf")
        self.lost: frozenset[str] = frozenset()
        """Offers that should be in Redis and are not; they wait for recovery."""

    def complaints(self) -> list[str]:
        """Why the publisher cannot keep up, if it cannot."""
        lost = sorted(self.lost)
        return super().complaints() + [
            f"Redis has lost the offer {each}, which waits for recovery" for each in lost
        ]

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

    def _each(self, work: Iterable[WorkT], step: Callable[[WorkT], object], lost: set[str]) -> None:
        for piece in work:
            if self.stopping:
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

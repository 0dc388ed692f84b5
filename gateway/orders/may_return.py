"""Telling the gateway when the first unpaid unit of an offer may come back, for its `sold_out` answers."""

from __future__ import annotations

import time
from collections.abc import Iterable

from redis import Redis
from sqlalchemy import Engine, func, select, text

from gateway import keys, scripts
from gateway.orders.database import reading
from gateway.orders.tables import orders

EVERY_S = 1.0
"""At most one publication per offer in this time."""


class MayReturn:
    """Publishes the smallest `expire_at_ms` of an offer's pending orders into the offer's hash."""

    def __init__(self, client: Redis, engine: Engine) -> None:
        self._client = client
        self._engine = engine
        self._changed: dict[str, int] = {}
        self._published_at: dict[str, float] = {}

    def note(self, written: Iterable[tuple[str, int]]) -> None:
        """Remember offers (id, epoch) whose orders have changed."""
        self._changed.update(written)

    def publish(self) -> None:
        """Publish what has changed and is due.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: nothing is forgotten, so call again.
        """
        if not self._changed:
            return
        now = time.monotonic()
        self._published_at = {offer: at for offer, at in self._published_at.items() if at + EVERY_S > now}
        due = [item for item in self._changed.items() if item[0] not in self._published_at]
        if not due:
            return
        with reading(self._engine) as connection:
            # The literal lets both databases see that the partial index serves.
            first = {
                offer: connection.execute(
                    select(func.min(orders.c.expire_at_ms)).where(
                        orders.c.offer == offer, text("status = 'pending'")
                    )
                ).scalar_one()
                for offer, _ in due
            }
        for offer, epoch in due:
            scripts.load("note_return").call(
                self._client,
                {"offer": keys.offer(offer)},
                {"epoch": epoch, "may_return_at_ms": first[offer] or 0},
            )
            self._published_at[offer] = now
            del self._changed[offer]

"""Telling the gateway when the first unpaid unit of an offer may come back, for its `sold_out` answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from redis import Redis
from redis.client import Pipeline
from sqlalchemy import Engine, select, true

from gateway import keys, scripts
from gateway.orders import tables
from gateway.orders.database import reading
from gateway.orders.expiry import Unpaid
from gateway.orders.pacing import Timer

ALL_EVERY_S = 10.0
"""How often every offer on sale is told, and not only those that have changed: another process may have told it
something older, and a Redis may have forgotten."""
NOTHING_MS = 0
"""What an offer is told when nothing of it is unpaid."""


class _Told(NamedTuple):
    """What every bucket of an offer is told."""

    epoch: int
    buckets: int
    may_return_at_ms: int


class MayReturn:
    """Publishes the smallest `expire_at_ms` of an offer's pending orders into the offer's hash."""

    def __init__(self, client: Redis, engine: Engine) -> None:
        self._client = client
        self._engine = engine
        self._told: dict[str, _Told] = {}
        self._all_timer = Timer(ALL_EVERY_S)

    def publish(self, found: Iterable[Unpaid], now_ms: int) -> None:
        """Tell Redis what has changed.

        Args:
            found: every offer with unpaid orders.
            now_ms: database time of looking, epoch ms.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: it will be told next time.
        """
        wanted = {each.offer: _Told(each.epoch, each.buckets, each.expire_at_ms) for each in found}
        for offer, told in self._told.items():
            wanted.setdefault(offer, told._replace(may_return_at_ms=NOTHING_MS))
        if self._all_timer.due():
            self._told = {}
            for offer, told in self._on_sale(now_ms):
                wanted.setdefault(offer, told)
        changed = [(offer, told) for offer, told in wanted.items() if self._told.get(offer) != told]
        if not changed:
            return
        deaf = self._tell(changed)
        self._told = {offer: told for offer, told in wanted.items() if offer not in deaf}

    def _on_sale(self, now_ms: int) -> Sequence[tuple[str, _Told]]:
        offers = tables.offers
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(offers.c.id, offers.c.epoch, offers.c.buckets).where(
                    offers.c.seeded == true(), offers.c.ends_at_ms > now_ms
                )
            )
            return [(row.id, _Told(row.epoch, row.buckets, NOTHING_MS)) for row in rows]

    def _tell(self, changed: Sequence[tuple[str, _Told]]) -> set[str]:
        """Tell every bucket of some offers; the offers of which one has not noted it."""
        script = scripts.load("note_return")
        pipeline: Pipeline = self._client.pipeline(transaction=False)
        pipeline.script_load(script.source)
        names = []
        for offer, told in changed:
            for bucket in keys.bucket_numbers(told.buckets):
                names.append(offer)
                script.queue(
                    pipeline,
                    {"offer": keys.offer(offer, bucket)},
                    {"epoch": told.epoch, "may_return_at_ms": told.may_return_at_ms},
                )
        replies = pipeline.execute()[1:]
        return {name for name, reply in zip(names, replies, strict=True) if script.read(reply)[0] != "NOTED"}

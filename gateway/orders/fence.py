"""The fence: after a restart, Redis sells an offer again only when it has all that the ledger knows.

Every offer carries the run id of the Redis process it may sell on, and `admit.lua` refuses on any other. A
watcher sees a new run id, compares, and approves; an offer that differs is recovered from the ledger first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from redis import Redis
from sqlalchemy import Engine, select, true

from gateway import keys, offers, scripts, store
from gateway.errors import RecoveryError
from gateway.orders import append_file, holdings, tables, unsettled
from gateway.orders.comparison import difference
from gateway.orders.database import reading
from gateway.orders.ledger import Ledger
from gateway.orders.message import Entry
from gateway.orders.recovery import recover
from gateway.settings import Settings

RESCAN_EVERY_S = 5.0
"""How often offers are looked through when Redis has not restarted: repaired or late ones."""
LOOKS = 3
"""So often an offer must differ before it is recovered: an order may be cancelled during one look."""
EARLY_MAX_S = 5.0
"""Longest that one call waits for an offer to become old enough for its approval."""

log = logging.getLogger(__name__)


class FenceWatcher:
    """Approves or recovers what a restarted Redis has. Any number may run at once.

    Each call is cheap when nothing changed.
    """

    def __init__(self, settings: Settings, engine: Engine, ledger: Ledger) -> None:
        """Raises SettingsError when the Redis URL has an unknown scheme."""
        self.closed: dict[str, str] = {}
        """Offers that may not sell, and why."""
        self._client = store.connect(settings.redis_url)
        self._lease_ms = settings.lease_ms
        self._engine = engine
        self._ledger = ledger
        self._run_id = self._renewed = ""
        self._scanned_at = 0.0

    def check(self) -> None:
        """Compare, recover and approve if Redis has restarted since the last call; call it every 250 ms.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: not finished, so call again.
        """
        # Read first: what is compared below lives on this run or a later one, and approving an older run
        # approves nothing.
        run_id = offers.run_id(self._client)
        now = time.monotonic()
        if run_id == self._run_id and now < self._scanned_at + RESCAN_EVERY_S:
            return
        closed: dict[str, str] = {}
        waiting = self._unapproved(run_id)
        self._name(waiting)
        if waiting and run_id != self._renewed:
            append_file.renew(self._client)
            self._renewed = run_id
        # An offer's entries stay as they are while it is closed.
        entries = unsettled.by_offer(self._client, waiting)
        # Recovered offers may be approved a moment later, so they all come once more, together.
        recovered = [offer for offer in waiting if self._see_to(offer, run_id, entries.get(offer, []), closed)]
        for offer in recovered:
            reason = approve(self._client, self._engine, offer, run_id, entries.get(offer, []))
            if reason is not None:
                self._complain(offer, reason, closed)
        self.closed, self._run_id, self._scanned_at = closed, run_id, now

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _unapproved(self, run_id: str) -> list[str]:
        """Seeded offers that may not sell on this run; those that end last come first."""
        with reading(self._engine) as connection:
            seeded = list(
                connection.execute(
                    select(tables.offers.c.id)
                    .where(tables.offers.c.seeded == true())
                    .order_by(tables.offers.c.ends_at_ms.desc(), tables.offers.c.id)
                ).scalars()
            )
        pipeline = self._client.pipeline(transaction=False)
        for offer in seeded:
            pipeline.hget(keys.offer(offer), "run_id")
        return [
            offer for offer, approved in zip(seeded, pipeline.execute(), strict=True) if approved != run_id.encode()
        ]

    def _name(self, waiting: Sequence[str]) -> None:
        """Tell gateways which offers there are before the first is back: none of them is `not_found` meanwhile."""
        pipeline = self._client.pipeline(transaction=False)
        for offer in waiting:
            pipeline.sadd(keys.offers(keys.shard_of(offer)), offer)
        pipeline.execute()

    def _see_to(self, offer: str, run_id: str, entries: Sequence[Entry], closed: dict[str, str]) -> bool:
        """Approve an offer, or recover it; whether it was recovered, and now waits for its approval."""
        for _ in range(LOOKS):
            reason = approve(self._client, self._engine, offer, run_id, entries)
            if reason is None:
                return False
        log.error("offer %s is closed on this Redis: %s", offer, reason)
        try:
            recover(self._client, self._engine, self._ledger, offer, run_id, lease_ms=self._lease_ms)
        except RecoveryError as error:
            self._complain(offer, str(error), closed)
            return False
        return True

    def _complain(self, offer: str, reason: str, closed: dict[str, str]) -> None:
        closed[offer] = reason
        if self.closed.get(offer) != reason:
            log.error("offer %s stays closed on this Redis: %s", offer, reason)


def approve(client: Redis, engine: Engine, offer: str, run_id: str, entries: Sequence[Entry]) -> str | None:
    """Approve a closed offer on a run if Redis has all of it, else say in which way it differs from the ledger.

    The offer's row is locked, so two that approve decide one after the other and no writer is half-way.

    Args:
        client: Redis.
        engine: the database.
        offer: the offer.
        run_id: the run, read before anything else.
        entries: the offer's entries that may not be settled, read while it was closed.

    Raises:
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: nothing was approved.
    """
    end = time.monotonic() + EARLY_MAX_S
    while True:
        with holdings.locked(engine, offer) as (connection, row):
            if row is None or client.hget(keys.offer(offer), "run_id") == run_id.encode():
                return None
            reason = difference(connection, client, row, entries)
            if reason is not None:
                return reason
            word, *wait_ms = scripts.load("approve_run").call(
                client, {"offer": keys.offer(offer)}, {"epoch": row.epoch, "run_id": run_id}
            )
        if word == "APPROVED":
            log.info("approved offer=%s epoch=%d run_id=%s", offer, row.epoch, run_id)
        if word in {"APPROVED", "UNCHANGED"}:
            return None
        if word != "EARLY" or time.monotonic() > end:
            return "Redis changed it meanwhile"
        time.sleep(wait_ms[0] / 1000)

"""The fence: after a restart, Redis sells an offer again only when it has all that the ledger knows.

Every bucket of an offer carries the run id of the Redis process it may sell on, and `admit.lua` refuses on any
other. A watcher sees a new run id, closes whatever is open of the offer, compares, and approves all of it; an offer
that differs is recovered from the ledger first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from redis import Redis
from sqlalchemy import Engine, Row, select, true

from gateway import keys, scripts, store
from gateway.errors import RecoveryError
from gateway.orders import append_file, holdings, runs, tables, unsettled
from gateway.orders.comparison import difference
from gateway.orders.database import reading
from gateway.orders.ledger import Ledger
from gateway.orders.message import Entry
from gateway.orders.recovery import recover
from gateway.orders.runs import Runs
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
        self._runs: Runs = {}
        self._renewed: frozenset[str] = frozenset()
        self._scanned_at = 0.0

    def check(self) -> None:
        """Compare, recover and approve if Redis has restarted since the last call; call it every 250 ms.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: not finished, so call again.
        """
        # Read first: what is compared below lives on these runs or later ones, and approving an older run
        # approves nothing.
        found = runs.now(self._client)
        now = time.monotonic()
        if found == self._runs and now < self._scanned_at + RESCAN_EVERY_S:
            return
        closed: dict[str, str] = {}
        waiting = self._unapproved(found)
        self._name(waiting, found)
        if waiting:
            self._renew(found)
        # An offer's entries stay as they are while it is closed.
        entries = unsettled.by_offer(self._client, waiting)
        # Recovered offers may be approved a moment later, so they all come once more, together.
        recovered = [offer for offer in waiting if self._see_to(offer, found, entries.get(offer, []), closed)]
        for offer in recovered:
            reason = approve(self._client, self._engine, offer, found, entries.get(offer, []))
            if reason is not None:
                self._complain(offer, reason, closed)
        self.closed, self._runs, self._scanned_at = closed, found, now

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _unapproved(self, found: Runs) -> list[str]:
        """Seeded offers that may not sell on these runs, closed as a whole; those that end last come first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(tables.offers.c.id, tables.offers.c.buckets)
                .where(tables.offers.c.seeded == true())
                .order_by(tables.offers.c.ends_at_ms.desc(), tables.offers.c.id)
            ).all()
        seeded = [(row.id, row.buckets) for row in rows]
        waiting = []
        for (offer, buckets), approved in zip(seeded, runs.approved(self._client, seeded), strict=True):
            wanted = runs.wanted(offer, buckets, found)
            if approved != wanted and self._all_closed(offer, buckets, approved, wanted):
                waiting.append(offer)
        return waiting

    def _all_closed(self, offer: str, buckets: int, approved: list[bytes | None], wanted: list[bytes]) -> bool:
        """Close what is open of an offer that waits; False when somebody has approved it by now."""
        if runs.any_open(approved, wanted):
            with holdings.locked(self._engine, offer):
                # Whoever approves it holds the lock until the last bucket is open.
                if runs.approved(self._client, [(offer, buckets)]) == [wanted]:
                    return False
                runs.close(self._client, offer, buckets)
        return True

    def _renew(self, found: Runs) -> None:
        """Have every server that has restarted write its append-only file anew."""
        servers = store.servers_of(self._client, keys.shards())
        for run_id, server in {found[shard]: server for shard, server in servers.items()}.items():
            if run_id not in self._renewed:
                append_file.renew(server)
        self._renewed = frozenset(found.values())

    def _name(self, waiting: Sequence[str], found: Runs) -> None:
        """Tell gateways which offers there are before the first is back: only others are `not_found` meanwhile."""
        pipeline = self._client.pipeline(transaction=False)
        for offer in waiting:
            pipeline.sadd(keys.offers(keys.shard_of(offer)), offer)
        pipeline.execute()
        # After the names, and only where it says something new: a Redis that is full can still be compared.
        for shard in found:
            pipeline.hget(keys.compared(shard), "run_id")
        for (shard, run_id), said in zip(found.items(), pipeline.execute(), strict=True):
            if said != run_id.encode():
                pipeline.hset(keys.compared(shard), "run_id", run_id)
        pipeline.execute()

    def _see_to(self, offer: str, found: Runs, entries: Sequence[Entry], closed: dict[str, str]) -> bool:
        """Approve an offer, or recover it; whether it was recovered, and now waits for its approval."""
        for _ in range(LOOKS):
            reason = approve(self._client, self._engine, offer, found, entries)
            if reason is None:
                return False
        log.error("offer %s is closed on this Redis: %s", offer, reason)
        try:
            recover(self._client, self._engine, self._ledger, offer, found, lease_ms=self._lease_ms)
        except RecoveryError as error:
            self._complain(offer, str(error), closed)
            return False
        return True

    def _complain(self, offer: str, reason: str, closed: dict[str, str]) -> None:
        closed[offer] = reason
        if self.closed.get(offer) != reason:
            log.error("offer %s stays closed on this Redis: %s", offer, reason)


def approve(client: Redis, engine: Engine, offer: str, found: Runs, entries: Sequence[Entry]) -> str | None:
    """Approve a closed offer if Redis has all of it, else say in which way it differs from the ledger.

    The offer's row is locked, so two that approve decide one after the other and no writer is half-way.

    Args:
        client: Redis.
        engine: the database.
        offer: the offer.
        found: the runs, read before anything else.
        entries: the offer's entries that may not be settled, read while it was closed.

    Raises:
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: some buckets may be approved, and are closed again by
            whoever comes next.
    """
    end = time.monotonic() + EARLY_MAX_S
    while True:
        with holdings.locked(engine, offer) as (connection, row):
            if row is None:
                return None
            wanted = runs.wanted(offer, row.buckets, found)
            [approved] = runs.approved(client, [(offer, row.buckets)])
            if approved == wanted:
                return None
            if runs.any_open(approved, wanted):
                # Whoever approved some of its buckets went away, and these have sold since.
                runs.close(client, offer, row.buckets)
                return "some of its buckets were open"
            reason = difference(connection, client, row, entries)
            if reason is not None:
                return reason
            word, *wait_ms = _approve_all(client, row, found)
        if word == "APPROVED":
            log.info("approved offer=%s epoch=%d runs=%s", offer, row.epoch, b",".join(wanted).decode())
            return None
        if word != "EARLY" or time.monotonic() > end:
            return "Redis changed it meanwhile"
        time.sleep(wait_ms[0] / 1000)


def _approve_all(client: Redis, row: Row[Any], found: Runs) -> list[Any]:
    """Approve every bucket; what Redis says of the first that it does not approve."""
    # The first bucket last, for whoever looks for an offer looks for it; the one built last first, for it is old
    # enough last.
    for index, bucket in enumerate(reversed(keys.bucket_numbers(row.buckets))):
        run_id = found[keys.shard_of(row.id, bucket)]
        while True:
            reply: list[Any] = scripts.load("approve_run").call(
                client, {"offer": keys.offer(row.id, bucket)}, {"epoch": row.epoch, "run_id": run_id}
            )
            if reply[0] != "EARLY" or not index:
                break
            # Servers differ by milliseconds. Some buckets sell already, so this is the time to wait.
            time.sleep(reply[1] / 1000)
        if reply[0] not in {"APPROVED", "UNCHANGED"}:
            return reply
    return ["APPROVED"]

"""The fence: after a restart, Redis sells an offer again only when it is not behind the ledger.

Every offer carries the run id of the Redis process it may sell on, and `admit.lua` refuses on any other. A
watcher sees a new run id, compares, and approves. What it cannot approve stays closed and is named in the log
until recovery repairs it.

Redis loses data from the end of its history, never from the middle. So it is enough to ask for the latest:
the highest unit and the newest orders that the ledger holds, and how many units are held at all.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from redis import Redis
from sqlalchemy import Connection, Engine, func, select, true

from gateway import keys, offers, scripts, store
from gateway.orders import tables
from gateway.orders.database import reading, writing

RESCAN_EVERY_S = 5.0
"""How often offers are looked through when Redis has not restarted: repaired or late ones."""
NEWEST_ORDERS = 1000
"""So many of the newest orders of an offer must be known to Redis: more than one transaction writes."""

log = logging.getLogger(__name__)


class FenceWatcher:
    """Approves restarted Redis servers. Any number may run at once; each call is cheap when nothing changed."""

    def __init__(self, redis_url: str, engine: Engine) -> None:
        self.closed: dict[str, str] = {}
        """Offers that may not sell, and why."""
        self._client = store.connect(redis_url)
        self._engine = engine
        self._run_id = ""
        self._scanned_at = 0.0

    def check(self) -> None:
        """Compare and approve if Redis has restarted since the last call; call it every 250 ms.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: not finished, so call again.
        """
        # Read first: what is compared below lives on this run or a later one, and approving an older run
        # approves nothing.
        run_id = offers.run_id(self._client)
        now = time.monotonic()
        if run_id == self._run_id and now < self._scanned_at + RESCAN_EVERY_S:
            return
        closed = {}
        for offer in self._unapproved(run_id):
            reason = self._judge(offer, run_id)
            if reason is not None:
                closed[offer] = reason
                if self.closed.get(offer) != reason:
                    log.error("offer %s stays closed on this Redis: %s", offer, reason)
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

    def _judge(self, offer: str, run_id: str) -> str | None:
        """Approve the offer, or say why not.

        The offer's row is locked, so two watchers decide one after the other and no writer is half-way.
        """
        with writing(self._engine) as connection:
            row = connection.execute(
                select(tables.offers.c.epoch).where(tables.offers.c.id == offer).with_for_update()
            ).one_or_none()
            if row is None:
                return None
            reason = self._behind(connection, offer, row.epoch)
            if reason is not None:
                return reason
            reply = scripts.load("approve_run").call(
                self._client, {"offer": keys.offer(offer)}, {"epoch": row.epoch, "run_id": run_id}
            )
        if reply[0] == "APPROVED":
            log.info("approved offer=%s run_id=%s", offer, run_id)
        return None if reply[0] in {"APPROVED", "UNCHANGED"} else "Redis changed it meanwhile"

    def _behind(self, connection: Connection, offer: str, epoch: int) -> str | None:
        """In which way Redis is behind the ledger, if it is."""
        # The ledger first: it only grows from what Redis has issued before.
        top, held = connection.execute(
            select(func.coalesce(func.max(tables.order_units.c.unit), 0), func.count()).where(
                tables.order_units.c.offer == offer, tables.order_units.c.active == true()
            )
        ).one()
        newest = connection.execute(
            select(tables.orders.c.order_no, tables.orders.c.shopper)
            .where(tables.orders.c.offer == offer, tables.orders.c.status.in_(tables.ACTIVE_STATES))
            .order_by(tables.orders.c.created_at_ms.desc(), tables.orders.c.order_no)
            .limit(NEWEST_ORDERS)
        ).all()
        names = ("epoch", "stock", "left", "next_unit")
        found: Any = self._client.hmget(keys.offer(offer), names)
        if None in found:
            return "Redis does not have it"
        redis_epoch, stock, left, next_unit = map(int, found)
        if redis_epoch != epoch:
            return f"Redis has epoch {redis_epoch}, the ledger epoch {epoch}"
        if next_unit <= top:
            return f"the ledger holds unit {top}, and Redis would issue unit {next_unit} next"
        if stock - left < held:
            return f"the ledger holds {held} units, Redis only {stock - left}"
        return _first_unknown(self._client, keys.buyers(offer, epoch), newest) if newest else None


def _first_unknown(client: Redis, buyers: str, newest: Any) -> str | None:
    """Name an order that its buyer's record lacks, if there is one."""
    records: Any = client.hmget(buyers, [order.shopper for order in newest])
    for order, record in zip(newest, records, strict=True):
        tickets = (record or b"").split(b"|")
        if not any(ticket.startswith(f"{order.order_no},".encode()) for ticket in tickets):
            return f"Redis does not know order {order.order_no} of the ledger"
    return None

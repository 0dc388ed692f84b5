"""The thread that numbers events, has them delivered and forgets old ones.

Each webhook gets its events in order, at least once. Some events at a time are claimed by moving the webhook's next
try into the future, so that another process leaves it alone; how far it came is stored afterwards, unless somebody
took the claim away meanwhile. After a crash the claim runs out and its events are sent again.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.exc import SQLAlchemyError

from admin.events import outbox
from admin.events.outbox import Event
from admin.events.sending import NotTaken, Receiver, body_of, secret_of
from admin.events.tables import webhooks
from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders.database import now_ms, reading, writing

AT_ONCE = 8
"""Receivers that one process talks to at the same time."""
TOGETHER = 100
"""Events of a claim at most: so many come again after a crash."""
RUN_S = 1.0
"""After so long a webhook leaves its place to others that wait."""
CLAIM_MS = 15_000
"""How long a claim holds: longer than a stretch of deliveries and the longest exchange."""
BACKOFF_MIN_MS = 1000
BACKOFF_MAX_MS = 600_000
FORGET_EVERY_S = 60.0
STOP_WITHIN_S = 2.0
"""How long receivers that are slow may keep the sidecar from stopping."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """Deliveries that are this process' alone until an instant (epoch ms)."""

    webhook: Row[Any]
    until_ms: int
    events: list[Event]


def backoff_ms(attempts: int) -> int:
    """How long to wait after so many failed tries in a row."""
    return min(BACKOFF_MAX_MS, BACKOFF_MIN_MS << min(attempts - 1, 20))


def due(engine: Engine) -> list[str]:
    """Webhooks that have events to get now.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    with reading(engine) as connection:
        return list(connection.execute(_due(connection, webhooks.c.id)).scalars())


def _due(connection: Connection, *columns: Any) -> Any:
    return select(*columns).where(
        webhooks.c.paused.is_(False),
        webhooks.c.next_try_at_ms <= now_ms(connection),
        webhooks.c.position < outbox.newest_number(connection),
    )


def claim(engine: Engine, webhook: str) -> Claim | None:
    """Claim the next run of a webhook; None when there is nothing to do, or another process does it.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    with writing(engine) as connection:
        row = connection.execute(
            _due(connection, webhooks).where(webhooks.c.id == webhook).with_for_update()
        ).first()
        if row is None:
            return None
        found, last = outbox.after(connection, row.position, row.kinds, TOGETHER)
        until_ms = now_ms(connection) + CLAIM_MS
        # Without any that it wants, it is at the end already, so that they may be forgotten.
        values = {"next_try_at_ms": until_ms} if found else {"position": last}
        connection.execute(update(webhooks).where(webhooks.c.id == webhook).values(**values))
    return Claim(row, until_ms, found) if found else None


def settle(engine: Engine, made: Claim, taken: int, error: str | None) -> bool:
    """Store how far a run came and why it went no further; whether the claim still held.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used; the run will be repeated.
    """
    came_on = taken > made.webhook.position
    with writing(engine) as connection:
        now = now_ms(connection)
        values: dict[str, Any] = {"position": taken, "next_try_at_ms": now}
        attempts = made.webhook.attempts
        if came_on:
            attempts = 0
            values |= {"last_taken_at_ms": now, "last_error": None}
        if error is not None:
            attempts += 1
            values |= {"next_try_at_ms": now + backoff_ms(attempts), "last_error": error}
        held = connection.execute(
            update(webhooks)
            .where(webhooks.c.id == made.webhook.id, webhooks.c.next_try_at_ms == made.until_ms)
            .values(**values, attempts=attempts)
        ).rowcount
    return bool(held)


class Delivering(Rounds):
    """Makes rounds over the outbox. Any number may run at once, in any number of processes."""

    name = "events"
    interval_s = 0.25

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._pool = ThreadPoolExecutor(AT_ONCE, "webhook")
        # By webhook, the runs of this process; and with whom those that have begun talk.
        self._runs: dict[str, Future[None]] = {}
        self._receivers: dict[str, Receiver] = {}
        self._forgot_at = float("-inf")

    def round(self) -> None:
        """Number what happened and begin to deliver what is due.

        Raises:
            SQLAlchemyError: the database cannot be used; the work stays for the next round.
        """
        engine = self._resources.engine
        while not self.stopping and outbox.number_some(engine):
            self.progress()
        for receiver in list(self._receivers.values()):
            receiver.hang_up_if_late()
        self._runs = {webhook: run for webhook, run in self._runs.items() if not run.done()}
        for webhook in due(engine):
            if webhook not in self._runs and not self.stopping:
                self._runs[webhook] = self._pool.submit(self._run_once, webhook)
        if time.monotonic() - self._forgot_at >= FORGET_EVERY_S:
            while not self.stopping and outbox.forget_old(engine, self._resources.settings.events_keep_s):
                self.progress()
            self._forgot_at = time.monotonic()

    def stop(self) -> None:
        """Stop after the deliveries under way, unless they take long."""
        super().stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(self._runs.values(), timeout=STOP_WITHIN_S)
        for receiver in list(self._receivers.values()):
            receiver.hang_up()
        self._pool.shutdown()

    def _run_once(self, webhook: str) -> None:
        try:
            until_s = time.monotonic() + RUN_S
            more = True
            while more and time.monotonic() < until_s:
                made = claim(self._resources.engine, webhook)
                more = made is not None and self._deliver(made, until_s)
        except SQLAlchemyError as error:
            _log.warning("the events of webhook %s wait for the database: %s", webhook, str(error).splitlines()[0])
        except Exception:
            # Nobody waits for this thread's answer, so what it does not understand would go unheard.
            _log.exception("a run of webhook %s failed", webhook)

    def _deliver(self, made: Claim, until_s: float) -> bool:
        """Send the events of a claim until an instant (monotonic); whether there may be more to do."""
        webhook = made.webhook
        receiver = Receiver(webhook.url, secret_of(self._resources, webhook.id))
        self._receivers[webhook.id] = receiver
        taken, error = webhook.position, None
        try:
            for event in made.events:
                if self.stopping or time.monotonic() > until_s:
                    break
                receiver.tell(event.id, body_of(self._resources, event))
                taken = event.number
        except NotTaken as refusal:
            error = str(refusal)
        finally:
            del self._receivers[webhook.id]
            receiver.close()
        settle(self._resources.engine, made, taken, error)
        if error is not None and (webhook.attempts == 0 or taken > webhook.position):
            _log.warning("webhook %s does not take events, and is asked again: %s", webhook.id, error)
        if webhook.attempts and taken > webhook.position:
            _log.info("webhook %s takes events again", webhook.id)
        return bool(taken == made.events[-1].number)

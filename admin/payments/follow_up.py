"""What a crash, an outage or a slow provider left open of payments and refunds is brought to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row, select, tuple_

from admin.payments import paying, refunding
from admin.payments.tables import payments, refunds
from admin.resources import Resources
from admin.rounds import EXPECTED, Rounds
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import OVER_STATES, orders

ASK_AGAIN_MS = 10_000
"""How long whoever began a payment or refund is left to finish it."""
ASK_EVERY_S = 5.0
"""How often providers are asked about payments and refunds that they have not decided."""
ROUND_MAX = 200
"""Payments and refunds looked at in one round."""

_log = logging.getLogger(__name__)


class FollowUp(Rounds):
    """Makes rounds over payments without an answer and refunds not yet sent.

    Any number may run at once: providers do the same thing once per id, and what they say is written down once.
    """

    name = "payment follow-up"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._after: tuple[int, str] = (0, "")
        self._asking = False
        self._asked_at = float("-inf")
        self._puzzling: set[str] = set()

    def round(self) -> None:
        """Look at a batch of open payments and of open refunds."""
        if self._after == (0, ""):
            # Decided once for a whole pass over all payments, so that each gets its turn.
            self._asking = time.monotonic() - self._asked_at >= ASK_EVERY_S
        waiting, now = self._waiting()
        for payment in waiting:
            self._take(payment.id, partial(self._look_at, payment, now))
        if self._asking:
            self._asked_at = time.monotonic()
            for refund in self._unsent():
                self._take(refund, partial(refunding.send, self._resources, refund))

    def _look_at(self, payment: Row[Any], now: int) -> None:
        called = paying.deliver(self._resources, payment)
        if called or not self._asking or payment.created_at_ms > now - ASK_AGAIN_MS:
            return
        if payment.order_status in OVER_STATES:
            paying.look_up(self._resources, payment)
        else:
            paying.ask(self._resources, payment)

    def _take(self, name: str, step: Callable[[], object]) -> None:
        """One that nobody understands does not keep the others back; it is told of once."""
        if self.stopping:
            return
        try:
            step()
        except EXPECTED:
            raise
        except Exception:
            if name not in self._puzzling:
                _log.exception("%s waits for somebody to look at it", name)
            self._puzzling.add(name)

    def _waiting(self) -> tuple[Sequence[Row[Any]], int]:
        """The next batch of payments without an answer, begun anew after the last, and database time."""
        with reading(self._resources.engine) as connection:
            rows = connection.execute(
                select(payments, orders.c.status.label("order_status"))
                .join(orders, orders.c.order_no == payments.c.order_no)
                .where(payments.c.state == "started", tuple_(payments.c.created_at_ms, payments.c.id) > self._after)
                .order_by(payments.c.created_at_ms, payments.c.id)
                .limit(ROUND_MAX)
            ).all()
            now = now_ms(connection)
        self._after = (rows[-1].created_at_ms, rows[-1].id) if len(rows) == ROUND_MAX else (0, "")
        return rows, now

    def _unsent(self) -> Sequence[str]:
        with reading(self._resources.engine) as connection:
            return (
                connection.execute(
                    select(refunds.c.id)
                    .where(
                        refunds.c.state == "sending",
                        refunds.c.requested_at_ms <= now_ms(connection) - ASK_AGAIN_MS,
                    )
                    .order_by(refunds.c.requested_at_ms)
                    .limit(ROUND_MAX)
                )
                .scalars()
                .all()
            )

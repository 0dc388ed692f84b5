"""What a crash, an outage or a slow provider left open of payments and refunds is brought to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, tuple_

from admin.payments import paying, refunding
from admin.payments.tables import payments, refunds
from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders.database import now_ms, reading

ASK_AGAIN_MS = 10_000
"""How long whoever began a payment or refund is left to finish it."""
ROUND_MAX = 200
"""Payments and refunds looked at in one round."""


class FollowUp(Rounds):
    """Makes rounds over payments without an answer and refunds not yet sent.

    Any number may run at once: providers do the same thing once per id, and what they say is written down once.
    """

    name = "payment follow-up"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._after: tuple[int, str] = (0, "")

    def round(self) -> None:
        """Look at a batch of open payments and of open refunds."""
        waiting, now = self._waiting()
        for payment in waiting:
            if self.stopping:
                return
            called = paying.deliver(self._resources, payment)
            if not called and payment.created_at_ms <= now - ASK_AGAIN_MS:
                paying.ask(self._resources, payment)
        for refund in self._unsent():
            if self.stopping:
                return
            refunding.send(self._resources, refund)

    def _waiting(self) -> tuple[Sequence[Row[Any]], int]:
        """The next batch of payments without an answer, begun anew after the last, and database time."""
        with reading(self._resources.engine) as connection:
            rows = connection.execute(
                select(payments)
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

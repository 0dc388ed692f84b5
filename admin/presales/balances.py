"""The thread that opens balances, calls them to mind, and ends what was never paid: by the database's clock.

::

    deposit_paid ──▶ balance_due ──▶ (reminded) ──▶ expired      the deposit is kept
                                          ╰───────▶ refunding    it goes back

Each order carries when the clock is next due (`next_at_ms`), which is set in the transaction of the step before. So
a step that a crash has undone is taken again, and one that is done is not.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, tuple_

from admin.flows.registry import flow_of
from admin.notices import telling
from admin.orders import views
from admin.payments import refund_requests, refunding
from admin.presales import opening
from admin.presales.opening import ACTOR, told
from admin.presales.tables import presale_orders
from admin.presales.terms import WITH_TERMS, wake
from admin.resources import Resources
from admin.rounds import EXPECTED, Rounds
from gateway.orders import states
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import orders

TOGETHER = 200
"""Orders in one transaction: few enough that others do not wait long."""
LOOK_AGAIN_MS = 10_000
"""An order that is being paid back is looked at again after so long: an operator may decline."""

_BOTH = (orders, presale_orders)
"""Whoever locks an order also locks its terms: a round that another one has overtaken must not act on old ones."""

_log = logging.getLogger(__name__)


class Balances(Rounds):
    """Makes rounds over pre-sale orders that the clock has something for. Any number may run at once."""

    name = "balances of pre-sales"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._puzzling: set[str] = set()

    def round(self) -> None:
        """Take every order that is due a step further."""
        after = (0, "")
        while not self.stopping:
            with reading(self._resources.engine) as connection:
                # SQLite has one right to write, and nobody should wait for it without need.
                found = connection.execute(_due(now_ms(connection), after)).all()
            if not found:
                return
            for order_no in advance(self._resources, after):
                if self.stopping:
                    return
                self._end(order_no)
                self.progress()
            after = (found[-1].next_at_ms, found[-1].order_no)

    def _end(self, order_no: str) -> None:
        """One order that nobody understands does not keep the others back; it is told of once."""
        try:
            end(self._resources, order_no)
        except EXPECTED:
            raise
        except Exception:
            if order_no not in self._puzzling:
                _log.exception("the balance of %s cannot be ended and waits for somebody to look at it", order_no)
            self._puzzling.add(order_no)


def advance(resources: Resources, after: tuple[int, str] = (0, "")) -> Sequence[str]:
    """Open balances and call them to mind, one batch, of orders behind a place in the queue.

    Returns:
        Orders whose time to pay the balance is over: each is ended in a transaction of its own, since what it
        held is locked in an order that holds for one order only.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    with writing(resources.engine) as connection:
        now = now_ms(connection)
        found = connection.execute(_due(now, after).with_for_update(of=_BOTH, skip_locked=True)).all()
        opening.open_balances(resources, connection, [row for row in found if row.status == "deposit_paid"], now)
        due = [row for row in found if row.status == "balance_due"]
        over = [row.order_no for row in due if row.balance_ends_at_ms <= now]
        opening.remind(resources, connection, [row for row in due if now < row.balance_ends_at_ms], now)
        for row in found:
            if row.status == "refunding":
                wake(connection, row.order_no, now + LOOK_AGAIN_MS)
            elif row.status not in {"deposit_paid", "balance_due"}:
                wake(connection, row.order_no, None)
    return over


def _due(now: int, after: tuple[int, str]) -> Select[Any]:
    place = presale_orders.c.next_at_ms, presale_orders.c.order_no
    return (
        WITH_TERMS.where(presale_orders.c.next_at_ms <= now, tuple_(*place) > after)
        .order_by(*place)
        .limit(TOGETHER)
    )


def end(resources: Resources, order_no: str) -> None:
    """End an order whose balance was not paid in time; nothing, when it was, or when it is not yet time.

    Money that is still on its way finds the order over and goes back by itself.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    refund = None
    with writing(resources.engine) as connection:
        order = views.find(connection, order_no, lock=True)
        found = connection.execute(WITH_TERMS.where(orders.c.order_no == order_no)).one()
        now = now_ms(connection)
        if order.status != "balance_due" or now < found.balance_ends_at_ms:
            return
        if found.on_unpaid == "refund":
            refund = refund_requests.pay_back(connection, order, reason="balance_missed", actor=ACTOR)
        else:
            _forfeit(connection, order, found.deposit, now)
        telling.notify(connection, *told(resources, found, "balance_missed", now))
        wake(connection, order_no, None)
    if refund is not None:
        refunding.send(resources, refund)


def _forfeit(connection: Connection, order: Row[Any], deposit: int, now: int) -> None:
    states.move(
        connection,
        order.order_no,
        "balance_due",
        "expired",
        actor=ACTOR,
        at_ms=now,
        detail={"forfeited": deposit},
    )
    flow_of(order).let_go(connection, order, now)

"""The thread that lets unpaid orders expire, of all that the gateway has not sold: those are the order writer's."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select, text

from admin.flows.registry import flow_of
from admin.orders import views
from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders import states
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import orders

ACTOR = "expiry"
"""Who it was, in the orders' histories; the order writer says the same."""
AT_ONCE_MAX = 500
"""Orders that one look finds."""
# The literals let both databases see that the index serves.
_UNPAID = text("offer IS NULL"), text("status = 'pending'")


class Expiring(Rounds):
    """Makes rounds over unpaid orders. Any number may run at once, in any number of processes."""

    name = "expiry of orders"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources

    def round(self) -> None:
        """Let every order expire whose time to pay is over.

        Raises:
            SQLAlchemyError: the database cannot be used; the rest stays for the next round.
        """
        while not self.stopping and expire(self._resources.engine):
            self.progress()


def expire(engine: Engine) -> int:
    """Let some orders expire whose time to pay is over; how many did. One that somebody pays or cancels at this
    moment is left to them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    with reading(engine) as connection:
        due = (
            connection.execute(
                select(orders.c.order_no)
                .where(*_UNPAID, orders.c.expire_at_ms <= now_ms(connection))
                .order_by(orders.c.expire_at_ms)
                .limit(AT_ONCE_MAX)
            )
            .scalars()
            .all()
        )
    expired = 0
    for order_no in due:
        # One transaction each: what an order gives up is locked in an order of its own.
        with writing(engine) as connection:
            expired += _expire(connection, order_no)
    return expired


def _expire(connection: Connection, order_no: str) -> bool:
    order = views.find(connection, order_no, lock=True)
    now = now_ms(connection)
    if now < order.expire_at_ms or not states.move(
        connection, order_no, "pending", "expired", actor=ACTOR, at_ms=now
    ):
        return False
    flow_of(order).let_go(connection, order, now)
    return True

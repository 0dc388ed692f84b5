"""What becomes of a group at its deadline, and of those who are in a group that is over.

First the group is decided, in one transaction: full, with virtual seats, or failed. Then its orders are taken one
by one: unpaid ones are cancelled, and money that bought no seat goes back. `settled` says when nobody is left, so
a crash in between loses nothing, and any number of threads may do it at once.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Row, and_, exists, or_, select, update

from admin.groups import seats, views
from admin.groups.tables import UNSETTLED, groups
from admin.orders import cancelling
from admin.orders import views as orders_views
from admin.payments import refund_requests, refunding
from admin.resources import Resources
from admin.rounds import EXPECTED, Rounds
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import orders

ROUND_MAX = 200
"""Groups looked at in one round."""

_log = logging.getLogger(__name__)


class Closing(Rounds):
    """Makes rounds over groups whose deadline has come, and over those that are over and not settled."""

    name = "closing of groups"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._puzzling: set[str] = set()

    def round(self) -> None:
        """Take every such group to its end."""
        last = ""
        while not self.stopping:
            found = self._due(last)
            for group in found:
                if self.stopping:
                    return
                self._take(group)
                self.progress()
            if len(found) < ROUND_MAX:
                return
            last = found[-1]

    def _due(self, last: str) -> list[str]:
        with reading(self._resources.engine) as connection:
            over = or_(
                and_(groups.c.state == "open", groups.c.deadline_ms <= now_ms(connection)),
                groups.c.state.in_(("full", "failed")),
            )
            return list(
                connection.execute(
                    select(groups.c.id)
                    .where(UNSETTLED, over, groups.c.id > last)
                    .order_by(groups.c.id)
                    .limit(ROUND_MAX)
                ).scalars()
            )

    def _take(self, group: str) -> None:
        """One that nobody understands does not keep the others back; it is told of once."""
        try:
            close(self._resources, group)
            settle(self._resources, group)
        except EXPECTED:
            raise
        except Exception:
            if group not in self._puzzling:
                _log.exception("group %s cannot be closed and waits for somebody to look at it", group)
            self._puzzling.add(group)


def close(resources: Resources, group: str) -> None:
    """Decide an open group whose deadline has come: full where its rule fills what is short, else failed."""
    with writing(resources.engine) as connection:
        row = views.lock(connection, group)
        now = now_ms(connection)
        if row.state != "open" or row.deadline_ms > now:
            return
        seated = seats.waiting(connection, group, ("awaiting_group",))
        if row.virtual_fill and seated:
            seats.fill(resources, connection, row, now, virtual=row.size - len(seated))
        else:
            _fail(connection, row, now)


def fail(resources: Resources, group: str) -> None:
    """An open group fails at once, and whoever is in it is paid back: the shop has called it off.

    Raises:
        NotFound: there is no such group.
    """
    with writing(resources.engine) as connection:
        row = views.lock(connection, group)
        if row.state == "open":
            _fail(connection, row, now_ms(connection))
    settle(resources, group)


def _fail(connection: Connection, group: Row[tuple[object, ...]], now: int) -> None:
    connection.execute(update(groups).where(groups.c.id == group.id).values(state="failed", closed_at_ms=now))
    seated = seats.waiting(connection, group.id, ("awaiting_group",))
    seats.tell(connection, group, seated, "group_failed", now)


def settle(resources: Resources, group: str) -> None:
    """Let everybody go who is in a group that is over and has no seat in it; any step may be repeated.

    Raises:
        SQLAlchemyError: the database is away; the rest waits for the next round.
    """
    waits = orders.c.group_id == group, orders.c.status.in_(seats.WAITING)
    with reading(resources.engine) as connection:
        found = select(orders.c.order_no).where(*waits).order_by(orders.c.order_no)
        numbers = list(connection.execute(found).scalars())
    for order_no in numbers:
        _let_go(resources, order_no)
    with writing(resources.engine) as connection:
        row = views.lock(connection, group)
        if row.state != "open":
            connection.execute(
                update(groups).where(groups.c.id == group, ~exists().where(*waits)).values(settled=True)
            )


def _let_go(resources: Resources, order_no: str) -> None:
    refund = None
    with writing(resources.engine) as connection:
        order = orders_views.find(connection, order_no, lock=True)
        if views.find(connection, order.group_id).state == "open":
            return
        if order.status == "pending":
            cancelling.cancel(connection, order, actor=seats.ACTOR)
        elif order.status == "awaiting_group":
            refund = refund_requests.pay_back(connection, order, reason="group_failed", actor=seats.ACTOR)
    if refund is not None:
        refunding.send(resources, refund)


def open_groups(connection: Connection, campaign: str) -> list[str]:
    """The groups of a campaign that may still become full."""
    found = select(groups.c.id).where(groups.c.campaign == campaign, groups.c.state == "open")
    return list(connection.execute(found.order_by(groups.c.id)).scalars())

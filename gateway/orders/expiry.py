"""Orders that nobody paid in time: they expire by the database's clock, and their units go on sale again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select, text, update

from gateway.orders import releases, states, tables
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import order_units, orders

TOGETHER = 500
"""Orders that expire in one transaction, at most."""
OFFERS_TOGETHER = 100
"""Offers whose orders expire in one transaction, at most."""
ACTOR = "expiry"
"""Who it was, in the orders' histories."""

# Goes from offer to offer on the partial index, so it costs a few look-ups per offer with unpaid orders, however
# many those are. The literal lets both databases see that the index serves.
FIRST_UNPAID = text("""
    WITH RECURSIVE unpaid(offer) AS (
        SELECT min(offer) FROM orders WHERE status = 'pending'
        UNION ALL
        SELECT (SELECT min(offer) FROM orders WHERE status = 'pending' AND offer > unpaid.offer)
        FROM unpaid WHERE unpaid.offer IS NOT NULL
    )
    SELECT offers.id, offers.epoch, offers.buckets, (
        SELECT min(expire_at_ms) FROM orders WHERE status = 'pending' AND offer = unpaid.offer
    ) AS expire_at_ms
    FROM unpaid JOIN offers ON offers.id = unpaid.offer
""")


class Unpaid(NamedTuple):
    """An offer with unpaid orders, and when the first of them expires (database time)."""

    offer: str
    epoch: int
    buckets: int
    expire_at_ms: int


def first_unpaid(engine: Engine) -> tuple[list[Unpaid], int]:
    """Every offer that has unpaid orders, and the database time of looking.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
    """
    with reading(engine) as connection:
        # An offer's last unpaid order may be paid between the two look-ups of the statement.
        found = [Unpaid(*row) for row in connection.execute(FIRST_UNPAID) if row.expire_at_ms is not None]
        return found, now_ms(connection)


def expire(engine: Engine, offers: Sequence[str]) -> int:
    """Expire due orders of some offers, about `TOGETHER` of them in one transaction; how many.

    Any number of processes may do so at once. An order that somebody pays or cancels at this moment is left to
    them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: nothing, or everything (a commit whose answer was lost), has happened.
    """
    with writing(engine) as connection:
        _lock(connection, offers)
        now = now_ms(connection)
        due = _due(connection, offers, now)
        if not due:
            return 0
        expired = connection.execute(
            update(orders)
            .where(orders.c.order_no.in_(due), orders.c.status == "pending")
            .values(status="expired")
            .returning(orders.c.order_no, orders.c.offer, orders.c.shopper)
        ).all()
        units: dict[str, list[int]] = defaultdict(list)
        for row in connection.execute(
            update(order_units)
            .where(order_units.c.order_no.in_([row.order_no for row in expired]), order_units.c.active)
            .values(active=False, released=True)
            .returning(order_units.c.order_no, order_units.c.unit)
        ):
            units[row.order_no].append(row.unit)
        releases.write_down(
            connection,
            [
                releases.GivenUp(row.order_no, row.offer, row.shopper, sorted(units[row.order_no]))
                for row in expired
            ],
            at_ms=now,
        )
        states.tell(connection, [(row.order_no, "pending", "expired") for row in expired], actor=ACTOR, at_ms=now)
    return len(expired)


def _lock(connection: Connection, offers: Sequence[str]) -> None:
    """Shared locks on the offers: recovery takes them exclusively, so it sees all of this or nothing."""
    connection.execute(
        select(tables.offers.c.id)
        .where(tables.offers.c.id.in_(offers))
        .order_by(tables.offers.c.id)
        .with_for_update(read=True)
    )


def _due(connection: Connection, offers: Sequence[str], now: int) -> Sequence[str]:
    return (
        connection.execute(
            select(orders.c.order_no)
            .where(orders.c.offer.in_(offers), text("status = 'pending'"), orders.c.expire_at_ms <= now)
            .limit(TOGETHER)
            .with_for_update(skip_locked=True)
        )
        .scalars()
        .all()
    )

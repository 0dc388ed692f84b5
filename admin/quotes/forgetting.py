"""The thread that keeps the shop in memory and forgets old quotes."""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, true

from admin.quotes.collector import SettingAside
from admin.quotes.tables import quotes
from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders.database import now_ms, reading, writing
from gateway.settings import Settings

FORGET_EVERY_S = 60.0
AT_ONCE_MAX = 1000
"""Rows of one transaction: others wait for it."""
_NOT_ORDERED = quotes.c.order_no.is_(None)


class Forgetting(Rounds):
    """Makes rounds over stored quotes. Any number may run at once, in any number of processes."""

    name = "quotes"
    interval_s = 1.0

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._setting_aside = SettingAside()
        self._forgot_at = float("-inf")

    def round(self) -> None:
        """Read what changed in the shop, so that no quote has to, and delete quotes that are not kept.

        Raises:
            SQLAlchemyError: the database cannot be used; the work stays for the next round.
        """
        self._setting_aside.check(len(self._resources.books.fresh().listings))
        if time.monotonic() - self._forgot_at >= FORGET_EVERY_S:
            while not self.stopping and forget(self._resources.engine, self._resources.settings):
                self.progress()
            self._forgot_at = time.monotonic()


def forget(engine: Engine, settings: Settings) -> int:
    """Delete some quotes: those that are too old, else what is too many, guests' and operators' first.

    Those that were ordered stay with their orders, and do not count. How many were deleted; 0 when all that are
    left are kept.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    with reading(engine) as connection:
        before_ms = now_ms(connection) - settings.quote_keep_s * 1000
        count = select(func.count()).select_from(quotes).where(_NOT_ORDERED)
        excess = connection.execute(count).scalar_one() - settings.quotes_max
    with writing(engine) as connection:
        deleted = _delete(connection, AT_ONCE_MAX, quotes.c.created_at_ms < before_ms)
        for nobodys in (quotes.c.shopper.is_(None), true()):
            if not deleted and excess > 0:
                deleted = _delete(connection, min(excess, AT_ONCE_MAX), nobodys)
    return deleted


def _delete(connection: Connection, at_most: int, which: ColumnElement[bool]) -> int:
    oldest = select(quotes.c.token).where(_NOT_ORDERED, which).order_by(quotes.c.created_at_ms).limit(at_most)
    # Said again: one of them may have been ordered since.
    return connection.execute(delete(quotes).where(quotes.c.token.in_(oldest), _NOT_ORDERED)).rowcount

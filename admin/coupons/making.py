"""Making the codes of batches, some at a time, so that other writers never wait for long.

How many are made is written with the codes themselves, and only if nobody else made some meanwhile. So a batch
comes to exactly its count, whatever crashes, and whoever makes it: sidecars and the command may do so side by side.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Engine, Row, insert, select, update

from admin.coupons.tables import coupon_batches, coupon_codes
from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders.database import reading, writing

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without 0, 1, I and O, which people mistake for each other: five bits each."""
SECRET_CHARACTERS = 13
"""65 bits, so that nobody finds a code by trying."""
TOGETHER = 1000
"""Codes written in one transaction."""
_CHARACTERS = ALPHABET.encode() * 8
"""The character of each byte: 32 divide 256, so all are as likely."""


def new_code(prefix: str) -> str:
    """A code that nobody can guess."""
    return prefix + secrets.token_bytes(SECRET_CHARACTERS).translate(_CHARACTERS).decode()


def unfinished(engine: Engine) -> list[Row[Any]]:
    """Batches of which codes are missing, the oldest first."""
    table = coupon_batches.c
    with reading(engine) as connection:
        statement = select(coupon_batches).where(table.made < table.count).order_by(table.created_at_ms, table.id)
        return list(connection.execute(statement))


def make_some(engine: Engine, batch: str) -> Row[Any] | None:
    """Make the next codes of a batch, and return it as it is then; None when it is gone.

    Raises:
        sqlalchemy.exc.IntegrityError: a code exists already, which will hardly ever be; try again.
    """
    table = coupon_batches.c
    with writing(engine) as connection:
        found = connection.execute(select(coupon_batches).where(table.id == batch).with_for_update()).one_or_none()
        if found is None or found.made >= found.count:
            return found
        count = min(TOGETHER, found.count - found.made)
        codes = [
            {"code": new_code(found.prefix), "coupon": found.coupon, "batch": batch, "shopper": None}
            for _ in range(count)
        ]
        connection.execute(insert(coupon_codes), codes)
        made = update(coupon_batches).where(table.id == batch).values(made=table.made + count)
        return connection.execute(made.returning(coupon_batches)).one()


class CodeMaking(Rounds):
    """Makes the codes that were ordered."""

    name = "maker of coupon codes"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._engine = resources.engine

    def round(self) -> None:
        """Make all that is missing, batch by batch in turns."""
        waiting = unfinished(self._engine)
        while waiting and not self.stopping:
            going_on = [make_some(self._engine, batch.id) for batch in waiting]
            waiting = [batch for batch in going_on if batch is not None and batch.made < batch.count]
            self.progress()

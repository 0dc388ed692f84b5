"""The stored carts. Each change is one transaction on the shopper's row, which waits for those before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select, update

from admin.carts.contents import BYTES_MAX, EMPTY, Body
from admin.carts.tables import carts
from admin.errors import Conflict, StaleRevision
from gateway.orders.bulk import insert
from gateway.orders.database import now_ms


def find(connection: Connection, shopper: str) -> Row[Any] | None:
    """The cart of a shopper, if anything was ever put in."""
    return connection.execute(select(carts).where(carts.c.shopper == shopper)).one_or_none()


def lock(connection: Connection, shopper: str, if_match: int | None) -> Row[Any]:
    """The cart of a shopper, empty at first; nobody else changes it until the transaction ends.

    Raises:
        StaleRevision: it is not at the revision that the caller knows.
    """
    # Of two that come first at once, one makes the row and the other finds it.
    insert(connection, carts, [(shopper, EMPTY, [], 0, now_ms(connection))], skip=True)
    row = connection.execute(select(carts).where(carts.c.shopper == shopper).with_for_update()).one()
    if if_match is not None and if_match != row.revision:
        raise StaleRevision(f"the cart is at revision {row.revision}", revision=row.revision)
    return row


def keep(
    connection: Connection, row: Row[Any], body: Body, merged: Sequence[str] | None = None
) -> tuple[Body, int]:
    """Store what a locked cart has become; the cart and its revision, which stays when nothing changed.

    Raises:
        Conflict: the cart has too many choices.
    """
    if body == row.body and merged is None:
        return row.body, row.revision
    if len(orjson.dumps(body)) > BYTES_MAX:
        raise Conflict(
            f"a cart with all its choices has at most {BYTES_MAX} bytes: choose fewer gifts and add-ons",
            code="cart_full",
            limit=BYTES_MAX,
        )
    connection.execute(
        update(carts)
        .where(carts.c.shopper == row.shopper)
        .values(
            body=body,
            merged=row.merged if merged is None else list(merged),
            revision=row.revision + 1,
            updated_at_ms=now_ms(connection),
        )
    )
    return body, row.revision + 1

"""What an order takes out of its shopper's cart, in the transaction that writes the order."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from admin.carts.contents import without_ordered
from admin.carts.storing import keep
from admin.carts.tables import carts


def remove_ordered(
    connection: Connection,
    shopper: str,
    quantities: Mapping[str, int],
    *,
    coupon: str | None = None,
    add_ons: Collection[tuple[str, str]] = (),
) -> None:
    """Take what was ordered out of the cart; whatever was put in meanwhile stays.

    Args:
        connection: a writing transaction; the cart's row is locked until it ends.
        shopper: whose cart.
        quantities: ordered units by SKU; a line without units left goes.
        coupon: the code that the order used up.
        add_ons: ordered add-ons, each a campaign and a SKU.
    """
    row = connection.execute(select(carts).where(carts.c.shopper == shopper).with_for_update()).one_or_none()
    if row is not None:
        keep(connection, row, without_ordered(row.body, quantities, coupon, add_ons))

"""Units on their way back to Redis.

The transaction that gives units up writes a row here; whoever comes by tells Redis and marks the row done. A
crash between the two leaves the row waiting, and telling Redis twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, update

from gateway.orders.tables import order_units, unit_releases


def request(
    connection: Connection, order_no: str, offer: str, shopper: str, units: Sequence[int], *, at_ms: int
) -> None:
    """Give units of an order up for sale again, in the transaction that decides it. `at_ms` is database time."""
    connection.execute(
        update(order_units)
        .where(order_units.c.order_no == order_no, order_units.c.unit.in_(units))
        .values(active=False, released=True)
    )
    connection.execute(
        insert(unit_releases).values(
            order_no=order_no, offer=offer, shopper=shopper, units=list(units), requested_at_ms=at_ms
        )
    )

"""Groups. Who sits in one is told by its orders; how many seats are held, by the tallies of kind `seat`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Table, false

from gateway.orders.tables import metadata

groups = Table(
    "groups",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("campaign", String(40), nullable=False, index=True),
    Column("sku", String(64), nullable=False),
    # The terms it was opened with, which all who join get.
    Column("name", String(200), nullable=False),
    Column("base_price", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("limit_per_shopper", Integer, nullable=False),
    Column("virtual_fill", Boolean, nullable=False),
    # open, full, failed or closed (everybody left).
    Column("state", String(8), nullable=False),
    Column("leader", String(64), nullable=False),
    # Seats that nobody sits in, given at the deadline.
    Column("virtual_seats", Integer, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("closed_at_ms", BigInteger),
    # The group is over, and nobody in it has still to be paid back or told that it is too late to pay.
    Column("settled", Boolean, nullable=False),
    CheckConstraint("size > 1", name="size"),
)
UNSETTLED = groups.c.settled == false()
Index(
    "ix_groups_unsettled",
    groups.c.state,
    groups.c.deadline_ms,
    groups.c.id,
    sqlite_where=UNSETTLED,
    postgresql_where=UNSETTLED,
)

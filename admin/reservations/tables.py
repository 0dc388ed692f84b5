"""What each order holds, and how much of each thing is held in all."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, String, Table

from gateway.orders.tables import metadata

reservations = Table(
    "reservations",
    metadata,
    Column("order_no", String(32), primary_key=True),
    # What is held: see `kinds.py`; of which product, campaign, coupon or group; and whose part of it, if each
    # shopper has one.
    Column("kind", String(20), primary_key=True),
    Column("subject", String(80), primary_key=True),
    Column("owner", String(64), primary_key=True),
    # Units, orders or minor units, as the kind counts.
    Column("amount", BigInteger, nullable=False),
    # reserved (not paid yet), committed or released.
    Column("state", String(12), nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
    Index("ix_reservations_subject", "kind", "subject", "owner"),
)

# The sums of the reservations. Stock has none here: it is counted in its product's own row.
tallies = Table(
    "tallies",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("subject", String(80), primary_key=True),
    Column("owner", String(64), primary_key=True),
    Column("reserved", BigInteger, nullable=False),
    Column("committed", BigInteger, nullable=False),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("committed >= 0", name="committed"),
)

"""Memberships that were bought, each by one line of an order."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Table

from gateway.orders.tables import metadata

membership_grants = Table(
    "membership_grants",
    metadata,
    Column("order_no", String(32), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("shopper", String(64), nullable=False),
    Column("level", Integer, nullable=False),
    # Of each unit; and the units that were not paid back.
    Column("days", Integer, nullable=False),
    Column("units", Integer, nullable=False),
    # When its order was paid. It begins then, or when an earlier one of the same level ends.
    Column("granted_at_ms", BigInteger, nullable=False),
    Column("starts_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
    CheckConstraint("units >= 0", name="units"),
    Index("ix_membership_grants_shopper", "shopper", "ends_at_ms"),
)

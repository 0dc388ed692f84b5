"""What shoppers are told."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table

from gateway.orders.tables import metadata

notices = Table(
    "notices",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("shopper", String(64), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("data", JSON, nullable=False),
    # What caused it, such as "reminder:12": nothing causes two notices.
    Column("cause", String(120), nullable=False, unique=True),
    Column("created_at_ms", BigInteger, nullable=False),
    # When the shopper said that they have read it.
    Column("read_at_ms", BigInteger),
    Index("ix_notices_shopper", "shopper", "id"),
)

"""Sessions 場次: times of day in the shop's zone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from gateway.orders.tables import metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False),
    # HH:MM; a session that ends at or before its start crosses midnight.
    Column("starts", String(5), nullable=False),
    Column("ends", String(5), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

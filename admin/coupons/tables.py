"""Coupons. State is derived from the window and the act of ending, and never stored."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table

from gateway.orders.tables import metadata

coupons = Table(
    "coupons",
    metadata,
    Column("code", String(40), primary_key=True),
    Column("starts_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
    # Everything else as the operator gave it.
    Column("terms", JSON, nullable=False),
    # Ended by hand, before its window was over.
    Column("ended_at_ms", BigInteger),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_coupons_created", "created_at_ms", "code"),
)

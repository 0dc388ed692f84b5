"""Reminders that shoppers asked for."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from gateway.orders.tables import metadata

reminders = Table(
    "reminders",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("shopper", String(64), nullable=False),
    Column("offer", String(120), nullable=False),
    # So long before the start, and the instant that follows from it.
    Column("before_ms", BigInteger, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    # waiting, sending (the notice is there, the stream may not have it yet), sent or dropped.
    Column("state", String(16), nullable=False),
    # Why it was dropped: removed, terminated or ended.
    Column("reason", String(16)),
    Column("created_at_ms", BigInteger, nullable=False),
    Index("uq_reminders_shopper_offer", "shopper", "offer", unique=True),
    Index("ix_reminders_due", "state", "due_at_ms"),
    Index("ix_reminders_offer", "offer", "state"),
    # Ids name causes and messages, so none may come twice, as SQLite's would after a deletion.
    sqlite_autoincrement=True,
)

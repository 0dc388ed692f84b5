"""How events are counted; where other systems want to be told of them, and how far each has been told."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, String, Table

from gateway.orders.tables import metadata

event_counter = Table(
    "event_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
"""One row: the number of the last event that has one. Whoever gives out numbers holds it."""

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("url", String(2000), nullable=False),
    # Kinds of events it wants, such as order.paid or order.*; empty: all.
    Column("kinds", JSON, nullable=False),
    Column("paused", Boolean, nullable=False),
    # The number of the last event that was taken, and of tries since.
    Column("position", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at_ms", BigInteger, nullable=False),
    Column("last_error", String(300)),
    Column("last_taken_at_ms", BigInteger),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

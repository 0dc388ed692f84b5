"""Members. A record here outranks every claim of a shopper's token."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, String, Table

from gateway.orders.tables import metadata

members = Table(
    "members",
    metadata,
    Column("shopper", String(64), primary_key=True),
    Column("level", Integer, nullable=False),
    Column("since_ms", BigInteger),
    Column("birthday", String(5)),
    # The first order that was paid in this shop or, as the operator says, in one before it.
    Column("first_paid_at_ms", BigInteger),
    # A paid membership sets the level until its end.
    Column("paid_level", Integer),
    Column("paid_until_ms", BigInteger),
    Column("note", String(500)),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    CheckConstraint("(paid_level IS NULL) = (paid_until_ms IS NULL)", name="paid"),
)

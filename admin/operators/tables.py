"""Tables of operators and their sessions. Neither holds a secret that could be used: only hashes."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from gateway.orders.tables import metadata

operators = Table(
    "operators",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("role", String(8), nullable=False),
    Column("password", String(200), nullable=False),
    # Wrong passwords since the last right one, and until when no further one is looked at.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until_ms", BigInteger, nullable=False, server_default="0"),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    CheckConstraint("role IN ('viewer', 'editor', 'owner')", name="role"),
)

operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("operator", String(40), ForeignKey("operators.name", ondelete="CASCADE"), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
    Index("ix_operator_sessions_operator", "operator"),
)

"""Imports: how far each is, so that any process can tell, and what came of it."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table

from gateway.orders.tables import metadata

imports = Table(
    "imports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("sheet", String(16), nullable=False),
    Column("actor", String(80), nullable=False),
    # running, done, refused, failed or interrupted.
    Column("state", String(16), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("partial", Boolean, nullable=False),
    Column("rows_total", Integer, nullable=False),
    Column("rows_done", Integer, nullable=False),
    Column("made", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("error_count", Integer, nullable=False),
    # The first of them.
    Column("errors", JSON, nullable=False),
    # Why it failed.
    Column("problem", String(500)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_imports_created", "created_at_ms", "id"),
)

"""Snapshots of quotes: everything needed to compute one again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, text

from gateway.orders.tables import metadata

quotes = Table(
    "quotes",
    metadata,
    Column("token", String(40), primary_key=True),
    # Whose it is; null for a guest's or an operator's, which cannot be ordered.
    Column("shopper", String(64)),
    # The version of the engine, and the change of the shop that it was made at.
    Column("engine", Integer, nullable=False),
    Column("change_number", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("valid_until_ms", BigInteger, nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    # A hash of what must be the same when it is ordered: lines, gifts, prices.
    Column("terms", String(64)),
    # The order that was made of it, if any; such a quote is kept.
    Column("order_no", String(32)),
    Index("ix_quotes_created", "created_at_ms"),
    # The first to be deleted when there are too many.
    Index(
        "ix_quotes_nobodys",
        "created_at_ms",
        sqlite_where=text("shopper IS NULL"),
        postgresql_where=text("shopper IS NULL"),
    ),
)

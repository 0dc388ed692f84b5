"""Snapshots of quotes: everything needed to compute one again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, text

from gateway.orders.tables import metadata

_ORDERED = text("order_no IS NOT NULL")
_NOT_ORDERED = text("order_no IS NULL")
_NOBODYS = text("shopper IS NULL AND order_no IS NULL")

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
    # Two hashes of what must be the same when it is ordered: see `terms.py`. Null where it cannot be ordered.
    Column("terms", String(64)),
    # The order that was made of it, if any; such a quote is kept.
    Column("order_no", String(32)),
    # What an order was made of.
    Index("ix_quotes_order", "order_no", sqlite_where=_ORDERED, postgresql_where=_ORDERED),
    # Those that may be deleted; and of these the first to go when there are too many.
    Index("ix_quotes_created", "created_at_ms", sqlite_where=_NOT_ORDERED, postgresql_where=_NOT_ORDERED),
    Index("ix_quotes_nobodys", "created_at_ms", sqlite_where=_NOBODYS, postgresql_where=_NOBODYS),
)

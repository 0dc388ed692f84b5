"""Carts of shoppers who have signed in."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table

from gateway.orders.tables import metadata

carts = Table(
    "carts",
    metadata,
    Column("shopper", String(64), primary_key=True),
    # Lines and choices as in the body of a quote.
    Column("body", JSON, nullable=False),
    # Guests' carts that were merged lately, by the id that the page gave the merge.
    Column("merged", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

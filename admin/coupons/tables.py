"""Coupons. State is derived from the window and the act of ending, and never stored.

How often a coupon was used is told by the tallies of kind `coupon`, `coupon_shopper` and `coupon_code`.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, text

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
    # Rows of `coupon_claims`: counted here, so that the statement that takes one decides whether there is one.
    Column("claimed", BigInteger, nullable=False, server_default=text("0")),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_coupons_created", "created_at_ms", "code"),
)

# Shoppers who hold a coupon, each once; by which of its codes, if by one.
coupon_claims = Table(
    "coupon_claims",
    metadata,
    Column("coupon", String(40), primary_key=True),
    Column("shopper", String(64), primary_key=True),
    Column("code", String(40)),
    Column("claimed_at_ms", BigInteger, nullable=False),
    Index("ix_coupon_claims_shopper", "shopper", "claimed_at_ms"),
)

coupon_batches = Table(
    "coupon_batches",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("coupon", String(40), nullable=False, index=True),
    Column("prefix", String(20), nullable=False),
    Column("count", Integer, nullable=False),
    Column("made", Integer, nullable=False),
    Column("requested_by", String(100), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
)

# Codes of which each works once, as its coupon.
coupon_codes = Table(
    "coupon_codes",
    metadata,
    Column("code", String(40), primary_key=True),
    Column("coupon", String(40), nullable=False, index=True),
    Column("batch", String(40), nullable=False),
    # Whose it is, once somebody has claimed it.
    Column("shopper", String(64)),
    Index("ix_coupon_codes_batch", "batch", "code"),
)

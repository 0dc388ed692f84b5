"""The parts of a pre-sale order, as they were at the deposit. Money is for all its units, before a coupon."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, String, Table

from gateway.orders.tables import metadata

presale_orders = Table(
    "presale_orders",
    metadata,
    Column("order_no", String(32), primary_key=True),
    # leverage or confirm.
    Column("mode", String(8), nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("deposit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("balance_starts_at_ms", BigInteger, nullable=False),
    Column("balance_ends_at_ms", BigInteger, nullable=False),
    Column("ships_at_ms", BigInteger),
    # forfeit or refund.
    Column("on_unpaid", String(8), nullable=False),
    CheckConstraint("deposit > 0", name="deposit"),
    CheckConstraint("credit < price", name="credit"),
    Index("ix_presale_orders_starts", "balance_starts_at_ms"),
    Index("ix_presale_orders_ends", "balance_ends_at_ms"),
)

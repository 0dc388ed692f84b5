"""The terms of a pre-sale order, as they were at the deposit. Money is for all its units, before a coupon.

What has been paid of it: the deposit while it is `deposit_paid` or `balance_due`, its total once it is `paid`. The
balance is `price - credit`, less what a coupon took off (`orders.coupon_discount`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, String, Table

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
    # Whether a coupon may be used for the balance.
    Column("coupons_allowed", Boolean, nullable=False),
    # When the clock does something with it next; nothing while the deposit is unpaid, and when all is done.
    Column("next_at_ms", BigInteger),
    CheckConstraint("deposit > 0", name="deposit"),
    CheckConstraint("credit < price", name="credit"),
)
Index(
    "ix_presale_orders_next",
    presale_orders.c.next_at_ms,
    presale_orders.c.order_no,
    sqlite_where=presale_orders.c.next_at_ms.is_not(None),
    postgresql_where=presale_orders.c.next_at_ms.is_not(None),
)

"""Payments, what providers said of them, and refunds. Money is minor units of the order's currency."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, String, Table

from gateway.orders.tables import metadata

payments = Table(
    "payments",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("order_no", String(32), nullable=False, index=True),
    Column("provider", String(40), nullable=False),
    # The provider's own name of the payment, once it has one.
    Column("reference", String(100)),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # What it pays: full, or the deposit or balance of a pre-sale.
    Column("purpose", String(8), nullable=False, server_default="full"),
    # started, settled or refused.
    Column("state", String(16), nullable=False),
    # What the provider keeps with it; the sandbox: what it was told to do, and when.
    Column("plan", JSON, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("settled_at_ms", BigInteger),
    CheckConstraint("amount >= 0", name="amount"),
    Index("ix_payments_reference", "provider", "reference", unique=True),
)
# Payments that nobody has an answer for yet.
Index(
    "ix_payments_started",
    payments.c.created_at_ms,
    payments.c.id,
    sqlite_where=payments.c.state == "started",
    postgresql_where=payments.c.state == "started",
)

# Callbacks that were dealt with: a provider may repeat each as often as it likes.
payment_callbacks = Table(
    "payment_callbacks",
    metadata,
    Column("provider", String(40), primary_key=True),
    Column("callback_id", String(100), primary_key=True),
    Column("received_at_ms", BigInteger, nullable=False),
)

# A refund's amount, and which payments it goes back through: those of a pre-sale are two.
refunds = Table(
    "refunds",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("order_no", String(32), nullable=False, index=True),
    # The latest of the payments it goes back through; none where nothing was to be paid.
    Column("payment", String(40), ForeignKey("payments.id")),
    Column("units", JSON, nullable=False),
    Column("amount", BigInteger, nullable=False),
    # requested (an operator must agree), sending, settled or rejected.
    Column("state", String(16), nullable=False, index=True),
    # asked, group_failed, balance_missed, terminated; late_payment (the order was over), double_payment (another
    # payment had paid it).
    Column("reason", String(40), nullable=False),
    # The units go back on sale.
    Column("restock", Boolean, nullable=False),
    Column("requested_by", String(100), nullable=False),
    Column("decided_by", String(100)),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("settled_at_ms", BigInteger),
    # Gifts that the kept units no longer earn and that did not come back: [{"line", "sku", "quantity", "value"}];
    # and what the units cost less the amount, negative when less is held back than before.
    Column("gifts_kept", JSON(none_as_null=True)),
    Column("held_back", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("amount >= 0", name="amount"),
)

SENT_BACK = ("late_payment", "double_payment")
"""Reasons of refunds of money that paid for nothing."""

refund_transfers = Table(
    "refund_transfers",
    metadata,
    # What the provider knows it by.
    Column("id", String(40), primary_key=True),
    Column("refund", String(40), ForeignKey("refunds.id"), nullable=False, index=True),
    Column("payment", String(40), ForeignKey("payments.id"), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    # sending or settled.
    Column("state", String(8), nullable=False),
    CheckConstraint("amount > 0", name="amount"),
)

"""What happens to an order after it was won: payment, release, shipping, refund; reminders and notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# SQLite counts up by itself only in an INTEGER key.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUNDED = sa.and_(sa.column("active", sa.Boolean) == sa.false(), sa.column("released", sa.Boolean) == sa.false())
STARTED = sa.column("state", sa.String) == "started"
WAITING = sa.column("done_at_ms", sa.BigInteger).is_(None)


def upgrade() -> None:
    """Add tables and columns. Code of the release before goes on working: it finds a default for what it lacks."""
    _orders()
    _releases()
    _payments()
    _reminders()


def _orders() -> None:
    """What an order goes through."""
    op.add_column(
        "order_units", sa.Column("released", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index(
        "ix_order_units_refunded",
        "order_units",
        ["offer", "unit"],
        unique=False,
        sqlite_where=REFUNDED,
        postgresql_where=REFUNDED,
    )
    op.add_column("orders", sa.Column("key", sa.String(length=64), server_default="", nullable=False))
    op.add_column("orders", sa.Column("address", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("orders", sa.Column("paid_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("shipped_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("carrier", sa.String(length=60), nullable=True))
    op.add_column("orders", sa.Column("tracking_no", sa.String(length=80), nullable=True))
    op.create_table(
        "order_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=False),
        sa.Column("after", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_events")),
    )
    op.create_index(op.f("ix_order_events_order_no"), "order_events", ["order_no"], unique=False)


def _releases() -> None:
    """Units on their way back to Redis."""
    op.create_table(
        "unit_releases",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("offer", sa.String(length=120), nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("units", sa.JSON(), nullable=False),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_releases")),
    )
    op.create_index("ix_unit_releases_offer_done", "unit_releases", ["offer", "done_at_ms"], unique=False)
    op.create_index(
        "ix_unit_releases_waiting",
        "unit_releases",
        ["id"],
        unique=False,
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )


def _payments() -> None:
    """Money in and out."""
    op.create_table(
        "payment_callbacks",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("callback_id", sa.String(length=100), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "callback_id", name=op.f("pk_payment_callbacks")),
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_payments_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
    )
    op.create_index(op.f("ix_payments_order_no"), "payments", ["order_no"], unique=False)
    op.create_index("ix_payments_reference", "payments", ["provider", "reference"], unique=True)
    op.create_index(
        "ix_payments_started",
        "payments",
        ["created_at_ms", "id"],
        unique=False,
        sqlite_where=STARTED,
        postgresql_where=STARTED,
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("payment", sa.String(length=40), nullable=False),
        sa.Column("units", sa.JSON(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("restock", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["payment"], ["payments.id"], name=op.f("fk_refunds_payment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
    )
    op.create_index(op.f("ix_refunds_order_no"), "refunds", ["order_no"], unique=False)
    op.create_index(op.f("ix_refunds_state"), "refunds", ["state"], unique=False)


def _reminders() -> None:
    """What shoppers are told."""
    op.create_table(
        "reminders",
        sa.Column("id", ID, nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("offer", sa.String(length=120), nullable=False),
        sa.Column("before_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reminders_offer", "reminders", ["offer", "state"], unique=False)
    op.create_index("ix_reminders_due", "reminders", ["state", "due_at_ms"], unique=False)
    op.create_index("uq_reminders_shopper_offer", "reminders", ["shopper", "offer"], unique=True)
    op.create_table(
        "notices",
        sa.Column("id", ID, nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("cause", sa.String(length=120), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("cause", name=op.f("uq_notices_cause")),
    )
    op.create_index("ix_notices_shopper", "notices", ["shopper", "id"], unique=False)

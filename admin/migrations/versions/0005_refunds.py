"""Refunds through more than one payment, or through none where nothing was to be paid; gifts that are kept."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what refunds need. Those that the release before writes go through one payment, without a transfer."""
    if op.get_bind().dialect.name == "sqlite":
        _anew()
    else:
        op.alter_column("refunds", "payment", existing_type=sa.String(length=40), nullable=True)
        for column in _more():
            op.add_column("refunds", column)
    op.create_table(
        "refund_transfers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("refund", sa.String(length=40), nullable=False),
        sa.Column("payment", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refund_transfers_amount")),
        sa.ForeignKeyConstraint(["payment"], ["payments.id"], name=op.f("fk_refund_transfers_payment")),
        sa.ForeignKeyConstraint(["refund"], ["refunds.id"], name=op.f("fk_refund_transfers_refund")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_transfers")),
    )
    op.create_index(op.f("ix_refund_transfers_payment"), "refund_transfers", ["payment"], unique=False)
    op.create_index(op.f("ix_refund_transfers_refund"), "refund_transfers", ["refund"], unique=False)
    op.add_column("payments", sa.Column("purpose", sa.String(length=8), server_default="full", nullable=False))
    # Those that are under way or done went through one payment, under their own id.
    op.execute(
        sa.text(
            "INSERT INTO refund_transfers (id, refund, payment, amount, state)"
            " SELECT id, id, payment, amount, state FROM refunds"
            " WHERE state IN ('sending', 'settled') AND amount > 0"
        )
    )


def _more() -> list[sa.Column[Any]]:
    return [
        sa.Column("gifts_kept", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("held_back", sa.BigInteger(), server_default="0", nullable=False),
    ]


def _anew() -> None:
    """SQLite changes no column in place: the rows move to a new table, to which no other refers yet."""
    op.create_table(
        "refunds_anew",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("payment", sa.String(length=40), nullable=True),
        sa.Column("units", sa.JSON(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("restock", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_at_ms", sa.BigInteger(), nullable=True),
        *_more(),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["payment"], ["payments.id"], name=op.f("fk_refunds_payment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
    )
    columns = ", ".join(each["name"] for each in sa.inspect(op.get_bind()).get_columns("refunds"))
    op.execute(sa.text(f"INSERT INTO refunds_anew ({columns}) SELECT {columns} FROM refunds"))  # noqa: S608 - own names
    op.drop_table("refunds")
    op.rename_table("refunds_anew", "refunds")
    op.create_index(op.f("ix_refunds_order_no"), "refunds", ["order_no"], unique=False)
    op.create_index(op.f("ix_refunds_state"), "refunds", ["state"], unique=False)

"""Orders of every kind: their lines, what they hold, coupons that are claimed, groups, pre-sales, events."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PENDING = sa.text("status = 'pending'")
KEYED = sa.and_(sa.column("flow", sa.String) != "seckill", sa.column("key", sa.String) != "")
TOTAL = "flow <> 'seckill' OR (offer IS NOT NULL AND total = price * quantity)"
WON_ONLY: dict[str, sa.types.TypeEngine[Any]] = {
    "offer": sa.String(length=120),
    "campaign": sa.String(length=40),
    "sku": sa.String(length=80),
    "price": sa.BigInteger(),
    "epoch": sa.Integer(),
    "shard": sa.Integer(),
    "bucket": sa.Integer(),
    "entry": sa.String(length=40),
    "won_at_ms": sa.BigInteger(),
    "pay_by_ms": sa.BigInteger(),
}
"""Columns that orders of a seckill have and others may not."""


def upgrade() -> None:
    """Add tables and columns. Code of the release before goes on working: its orders are of the flow `seckill`."""
    if op.get_bind().dialect.name == "sqlite":
        _orders_anew()
    else:
        _orders_in_place()
    op.create_index("ix_orders_campaign", "orders", ["campaign"], unique=False)
    op.create_index("ix_orders_group", "orders", ["group_id"], unique=False)
    op.create_index(
        "uq_orders_checkout_key",
        "orders",
        ["shopper", "key"],
        unique=True,
        sqlite_where=KEYED,
        postgresql_where=KEYED,
    )
    _lines()
    _groups_and_presales()
    _memberships()
    _reservations()
    _coupons()
    _others()
    _quotes()


def _quotes() -> None:
    """Quotes that are ordered are kept and found: the indexes for deleting leave them out."""
    op.add_column("quotes", sa.Column("terms", sa.String(length=64), nullable=True))
    op.add_column("quotes", sa.Column("order_no", sa.String(length=32), nullable=True))
    op.create_index(
        "ix_quotes_order",
        "quotes",
        ["order_no"],
        unique=False,
        sqlite_where=sa.text("order_no IS NOT NULL"),
        postgresql_where=sa.text("order_no IS NOT NULL"),
    )
    for name, which in (
        ("ix_quotes_created", "order_no IS NULL"),
        ("ix_quotes_nobodys", "shopper IS NULL AND order_no IS NULL"),
    ):
        where = sa.text(which)
        op.drop_index(name, table_name="quotes")
        op.create_index(name, "quotes", ["created_at_ms"], unique=False, sqlite_where=where, postgresql_where=where)


def _more() -> list[sa.Column[Any]]:
    """What orders of every flow have now."""
    return [
        sa.Column("subtotal", sa.BigInteger(), nullable=True),
        sa.Column("discount", sa.BigInteger(), nullable=True),
        sa.Column("coupon", sa.String(length=40), nullable=True),
        sa.Column("coupon_discount", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("group_id", sa.String(length=32), nullable=True),
        sa.Column("request", sa.String(length=64), nullable=True),
    ]


def _flow() -> sa.Column[Any]:
    return sa.Column("flow", sa.String(length=16), server_default="seckill", nullable=False)


def _orders_in_place() -> None:
    for column in (_flow(), *_more()):
        op.add_column("orders", column)
    for name, kind in WON_ONLY.items():
        op.alter_column("orders", name, existing_type=kind, nullable=True)
    op.drop_constraint(op.f("ck_orders_total"), "orders", type_="check")
    op.create_check_constraint(op.f("ck_orders_total"), "orders", TOTAL)


def _orders_anew() -> None:
    """SQLite changes no column in place: the rows move to a new table. No other table refers to this one."""

    def won(name: str) -> sa.Column[Any]:
        return sa.Column(name, WON_ONLY[name], nullable=True)

    op.create_table(
        "orders_anew",
        sa.Column("order_no", sa.String(length=32), nullable=False),
        _flow(),
        won("offer"),
        won("campaign"),
        won("sku"),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        won("price"),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        *(won(name) for name in ("epoch", "shard", "bucket", "entry", "won_at_ms", "pay_by_ms")),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expire_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), server_default="", nullable=False),
        *_more(),
        sa.Column("address", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("paid_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("shipped_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("carrier", sa.String(length=60), nullable=True),
        sa.Column("tracking_no", sa.String(length=80), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_orders_quantity")),
        sa.CheckConstraint(TOTAL, name=op.f("ck_orders_total")),
        sa.PrimaryKeyConstraint("order_no", name=op.f("pk_orders")),
    )
    kept = [each["name"] for each in sa.inspect(op.get_bind()).get_columns("orders")]
    columns = ", ".join(kept)
    op.execute(sa.text(f"INSERT INTO orders_anew ({columns}) SELECT {columns} FROM orders"))  # noqa: S608 - own names
    op.drop_table("orders")
    op.rename_table("orders_anew", "orders")
    op.create_index("ix_orders_offer_created", "orders", ["offer", "created_at_ms", "order_no"], unique=False)
    op.create_index("ix_orders_shopper_created", "orders", ["shopper", "created_at_ms", "order_no"], unique=False)
    op.create_index("ix_orders_created", "orders", ["created_at_ms", "order_no"], unique=False)
    op.create_index(
        "ix_orders_pending_expire", "orders", ["offer", "expire_at_ms"], unique=False, sqlite_where=PENDING
    )


def _coupons() -> None:
    """Claims, and codes of which each works once."""
    op.add_column("coupons", sa.Column("claimed", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "coupon_batches",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("coupon", sa.String(length=40), nullable=False),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_batches")),
    )
    op.create_index(op.f("ix_coupon_batches_coupon"), "coupon_batches", ["coupon"], unique=False)
    op.create_table(
        "coupon_claims",
        sa.Column("coupon", sa.String(length=40), nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("claimed_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("coupon", "shopper", name=op.f("pk_coupon_claims")),
    )
    op.create_index("ix_coupon_claims_shopper", "coupon_claims", ["shopper", "claimed_at_ms"], unique=False)
    op.create_table(
        "coupon_codes",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("coupon", sa.String(length=40), nullable=False),
        sa.Column("batch", sa.String(length=40), nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_coupon_codes")),
    )
    op.create_index("ix_coupon_codes_batch", "coupon_codes", ["batch", "code"], unique=False)
    op.create_index(op.f("ix_coupon_codes_coupon"), "coupon_codes", ["coupon"], unique=False)


def _lines() -> None:
    """What an order consists of, beyond its row."""
    op.create_table(
        "order_lines",
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("base_price", sa.BigInteger(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=True),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("coupon_discount", sa.BigInteger(), nullable=False),
        sa.Column("payable", sa.BigInteger(), nullable=False),
        sa.Column("first_unit", sa.Integer(), nullable=False),
        sa.Column("unit_payables", sa.JSON(), nullable=False),
        sa.Column("membership", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "payable = unit_price * quantity - discount - coupon_discount", name=op.f("ck_order_lines_payable")
        ),
        sa.CheckConstraint("payable >= 0", name=op.f("ck_order_lines_not_negative")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_lines_quantity")),
        sa.PrimaryKeyConstraint("order_no", "line", name=op.f("pk_order_lines")),
    )
    op.create_index("ix_order_lines_campaign", "order_lines", ["campaign", "order_no"], unique=False)
    op.create_index("ix_order_lines_sku", "order_lines", ["sku"], unique=False)


def _groups_and_presales() -> None:
    """What orders of two flows have besides."""
    op.create_table(
        "presale_orders",
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("deposit", sa.BigInteger(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("balance_starts_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("balance_ends_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ships_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("on_unpaid", sa.String(length=8), nullable=False),
        sa.Column("coupons_allowed", sa.Boolean(), nullable=False),
        sa.Column("next_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("credit < price", name=op.f("ck_presale_orders_credit")),
        sa.CheckConstraint("deposit > 0", name=op.f("ck_presale_orders_deposit")),
        sa.PrimaryKeyConstraint("order_no", name=op.f("pk_presale_orders")),
    )
    op.create_index(
        "ix_presale_orders_next",
        "presale_orders",
        ["next_at_ms", "order_no"],
        unique=False,
        sqlite_where=sa.text("next_at_ms IS NOT NULL"),
        postgresql_where=sa.text("next_at_ms IS NOT NULL"),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("base_price", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("limit_per_shopper", sa.Integer(), nullable=False),
        sa.Column("virtual_fill", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("leader", sa.String(length=64), nullable=False),
        sa.Column("virtual_seats", sa.Integer(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("size > 1", name=op.f("ck_groups_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
    )
    op.create_index(op.f("ix_groups_campaign"), "groups", ["campaign"], unique=False)
    op.create_index(
        "ix_groups_unsettled",
        "groups",
        ["state", "deadline_ms", "id"],
        unique=False,
        sqlite_where=sa.text("settled = 0"),
        postgresql_where=sa.text("settled = false"),
    )


def _memberships() -> None:
    """Memberships that are bought."""
    op.create_table(
        "membership_grants",
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("granted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("starts_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.CheckConstraint("units >= 0", name=op.f("ck_membership_grants_units")),
        sa.PrimaryKeyConstraint("order_no", "line", name=op.f("pk_membership_grants")),
    )
    op.create_index("ix_membership_grants_shopper", "membership_grants", ["shopper", "ends_at_ms"], unique=False)


def _reservations() -> None:
    """What orders hold of everything that can run out."""
    op.create_table(
        "reservations",
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_reservations_amount")),
        sa.PrimaryKeyConstraint("order_no", "kind", "subject", "owner", name=op.f("pk_reservations")),
    )
    op.create_index("ix_reservations_subject", "reservations", ["kind", "subject", "owner"], unique=False)
    op.create_table(
        "tallies",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("committed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("committed >= 0", name=op.f("ck_tallies_committed")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_tallies_reserved")),
        sa.PrimaryKeyConstraint("kind", "subject", "owner", name=op.f("pk_tallies")),
    )


def _others() -> None:
    """Carts, and what is told to other systems."""
    op.create_table(
        "carts",
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("merged", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shopper", name=op.f("pk_carts")),
    )
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("number", name=op.f("uq_events_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_events_unnumbered",
        "events",
        ["id"],
        unique=False,
        sqlite_where=sa.text("number IS NULL"),
        postgresql_where=sa.text("number IS NULL"),
    )
    op.create_table(
        "event_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_counter")),
    )
    op.execute(sa.text("INSERT INTO event_counter (id, number) VALUES (1, 0)"))
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        sa.Column("last_taken_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )

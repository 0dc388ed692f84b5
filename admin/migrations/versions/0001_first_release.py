"""Every table of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

HELD = sa.column("active", sa.Boolean) == sa.true()
UNPAID = sa.column("status", sa.String) == sa.literal("pending", literal_execute=True)


def upgrade() -> None:
    """Make the tables."""
    _offers()
    _orders()
    _catalog()
    _campaigns()
    _operations()


def _offers() -> None:
    """What is on sale."""
    op.create_table(
        "offers",
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("published_version", sa.BigInteger(), nullable=False),
        sa.Column("seeded", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("starts_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("limit_per_shopper", sa.Integer(), nullable=False),
        sa.Column("pay_within_ms", sa.BigInteger(), nullable=False),
        sa.Column("stock", sa.BigInteger(), nullable=False),
        sa.Column("unit_cap", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("buckets", sa.Integer(), nullable=False),
        sa.Column("card", sa.String(), nullable=False),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_offers_stock")),
        sa.CheckConstraint("unit_cap >= stock", name=op.f("ck_offers_unit_cap")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_campaign"), "offers", ["campaign"], unique=False)


def _orders() -> None:
    """Orders and the units they hold."""
    op.create_table(
        "orders",
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("offer", sa.String(length=120), nullable=False),
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("entry", sa.String(length=40), nullable=False),
        sa.Column("won_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("pay_by_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expire_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_orders_quantity")),
        sa.CheckConstraint("total = price * quantity", name=op.f("ck_orders_total")),
        sa.PrimaryKeyConstraint("order_no", name=op.f("pk_orders")),
    )
    op.create_index("ix_orders_created", "orders", ["created_at_ms", "order_no"], unique=False)
    op.create_index("ix_orders_offer_created", "orders", ["offer", "created_at_ms", "order_no"], unique=False)
    op.create_index(
        "ix_orders_pending_expire",
        "orders",
        ["offer", "expire_at_ms"],
        unique=False,
        sqlite_where=UNPAID,
        postgresql_where=UNPAID,
    )
    op.create_index("ix_orders_shopper_created", "orders", ["shopper", "created_at_ms", "order_no"], unique=False)
    op.create_table(
        "order_units",
        sa.Column("order_no", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("offer", sa.String(length=120), nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("slot > 0", name=op.f("ck_order_units_slot")),
        sa.CheckConstraint("unit > 0", name=op.f("ck_order_units_unit")),
        sa.PrimaryKeyConstraint("order_no", "unit", name=op.f("pk_order_units")),
    )
    op.create_index(
        "uq_order_units_slot",
        "order_units",
        ["offer", "shopper", "slot"],
        unique=True,
        sqlite_where=HELD,
        postgresql_where=HELD,
    )
    op.create_index(
        "uq_order_units_unit",
        "order_units",
        ["offer", "unit"],
        unique=True,
        sqlite_where=HELD,
        postgresql_where=HELD,
    )


def _catalog() -> None:
    """Products, and who changed what."""
    op.create_table(
        "products",
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("stock", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("image", sa.String(length=2000), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("gift_only", sa.Boolean(), nullable=False),
        sa.Column("on_sale", sa.Boolean(), nullable=False),
        sa.Column("membership", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_products_price")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_products_reserved")),
        sa.CheckConstraint("stock >= reserved", name=op.f("ck_products_stock")),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_products")),
    )
    op.create_index(op.f("ix_products_category"), "products", ["category"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subject", "audit", ["kind", "subject", "id"], unique=False)


def _campaigns() -> None:
    """Campaigns and their items."""
    op.create_table(
        "campaigns",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("starts_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ends_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("draft", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("terminated_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("removing", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_campaigns")),
    )
    op.create_index("ix_campaigns_created", "campaigns", ["created_at_ms", "code"], unique=False)
    op.create_table(
        "campaign_items",
        sa.Column("campaign", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("returned >= 0", name=op.f("ck_campaign_items_returned")),
        sa.ForeignKeyConstraint(["campaign"], ["campaigns.code"], name=op.f("fk_campaign_items_campaign")),
        sa.PrimaryKeyConstraint("campaign", "sku", name=op.f("pk_campaign_items")),
    )


def _operations() -> None:
    """Changes on their way to Redis."""
    op.create_table(
        "stock_operations",
        sa.Column("operation_id", sa.String(length=160), nullable=False),
        sa.Column("offer", sa.String(length=120), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stock", sa.BigInteger(), nullable=True),
        sa.Column("left", sa.BigInteger(), nullable=True),
        sa.Column("lowest", sa.BigInteger(), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_stock_operations")),
    )
    op.create_index(op.f("ix_stock_operations_offer"), "stock_operations", ["offer"], unique=False)
    op.create_index(op.f("ix_stock_operations_state"), "stock_operations", ["state"], unique=False)
    op.create_table(
        "offer_removals",
        sa.Column("offer", sa.String(length=120), nullable=False),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["offer"], ["offers.id"], name=op.f("fk_offer_removals_offer")),
        sa.PrimaryKeyConstraint("offer", name=op.f("pk_offer_removals")),
    )

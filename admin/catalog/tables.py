"""Products and the tree of categories. Money is minor units; `reserved` units are promised already."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Integer, String, Table

from gateway.orders.tables import metadata

products = Table(
    "products",
    metadata,
    Column("sku", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("cost", BigInteger),
    Column("stock", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False, default=0),
    Column("category", String(64), index=True),
    Column("tags", JSON, nullable=False),
    Column("image", String(2000)),
    Column("description", String),
    Column("gift_only", Boolean, nullable=False),
    Column("on_sale", Boolean, nullable=False),
    Column("membership", JSON(none_as_null=True)),
    # The number of the newest change of anything but its stock (`admin/changes.py`).
    Column("changed", BigInteger, nullable=False, default=0, server_default="0", index=True),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    CheckConstraint("price >= 0", name="price"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("stock >= reserved", name="stock"),
)

categories = Table(
    "categories",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("parent", String(64), ForeignKey("categories.id"), index=True),
    # Among its siblings.
    Column("position", Integer, nullable=False),
    Column("texts", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

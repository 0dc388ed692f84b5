"""The product table. Money is minor units; `reserved` units are promised to campaigns and orders."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Column, Integer, String, Table

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
    Column("revision", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    CheckConstraint("price >= 0", name="price"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("stock >= reserved", name="stock"),
)

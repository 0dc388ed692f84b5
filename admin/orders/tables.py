"""What orders consist of, besides those of the gateway, whose only line is the order itself."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Integer, String, Table

from gateway.orders.tables import metadata

# What is inserted although it may be null.
TOLD = {"bulk": True}

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_no", String(32), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    # goods, add_on or gift.
    Column("kind", String(8), nullable=False),
    Column("sku", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("quantity", Integer, nullable=False),
    # The product's own price at the time, and what a unit is charged at before discounts.
    Column("base_price", BigInteger, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("campaign", String(40), info=TOLD),
    Column("discount", BigInteger, nullable=False),
    Column("coupon_discount", BigInteger, nullable=False),
    Column("payable", BigInteger, nullable=False),
    # What each unit costs, in the order of the units. They are numbered through the order from 1.
    Column("first_unit", Integer, nullable=False),
    Column("unit_payables", JSON, nullable=False),
    # What the product makes its buyer: level and days of each unit.
    Column("membership", JSON(none_as_null=True), info=TOLD),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("payable = unit_price * quantity - discount - coupon_discount", name="payable"),
    CheckConstraint("payable >= 0", name="not_negative"),
    Index("ix_order_lines_campaign", "campaign", "order_no"),
    Index("ix_order_lines_sku", "sku"),
)

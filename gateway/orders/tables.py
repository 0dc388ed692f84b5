"""The ledger's tables. Instants are epoch milliseconds, money is minor units.

The two partial unique indexes of `order_units` are the second wall: even if Redis forgot everything, no unit
number and no slot of a shopper can be held by two live orders.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ORDER_STATES = ("pending", "paid", "shipped", "completed", "refunding", "cancelled", "expired", "refunded")
ACTIVE_STATES = ("pending", "paid", "shipped", "completed", "refunding")
"""States in which an order holds its units."""

offers = Table(
    "offers",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("campaign", String(40), nullable=False, index=True),
    Column("sku", String(80), nullable=False),
    # What Redis should have, and the newest version that it confirmed.
    Column("version", BigInteger, nullable=False),
    Column("published_version", BigInteger, nullable=False, default=0),
    # Whether the stock was ever seeded in Redis; if so, and Redis lacks the offer, only recovery may act.
    Column("seeded", Boolean, nullable=False, default=False),
    Column("state", String(16), nullable=False),
    Column("starts_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("limit_per_shopper", Integer, nullable=False),
    Column("pay_within_ms", BigInteger, nullable=False),
    Column("stock", BigInteger, nullable=False),
    Column("unit_cap", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("buckets", Integer, nullable=False, default=1),
    Column("card", String, nullable=False),
    CheckConstraint("stock >= 0", name="stock"),
    CheckConstraint("unit_cap >= stock", name="unit_cap"),
)

orders = Table(
    "orders",
    metadata,
    Column("order_no", String(32), primary_key=True),
    Column("offer", String(120), nullable=False),
    Column("campaign", String(40), nullable=False),
    Column("sku", String(80), nullable=False),
    Column("shopper", String(64), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("entry", String(40), nullable=False),
    Column("won_at_ms", BigInteger, nullable=False),
    Column("pay_by_ms", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expire_at_ms", BigInteger, nullable=False),
    # Digest of the click's Idempotency-Key, or nothing: recovery gives it back to Redis with the ticket.
    Column("key", String(64), nullable=False, server_default=""),
    # What happens to an order later; the order writer leaves these empty.
    Column("address", JSON(none_as_null=True)),
    Column("paid_at_ms", BigInteger),
    Column("shipped_at_ms", BigInteger),
    Column("carrier", String(60)),
    Column("tracking_no", String(80)),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("total = price * quantity", name="total"),
    Index("ix_orders_offer_created", "offer", "created_at_ms", "order_no"),
    Index("ix_orders_shopper_created", "shopper", "created_at_ms", "order_no"),
    Index("ix_orders_created", "created_at_ms", "order_no"),
)

# Finds when the first unpaid unit of an offer may come back, and what has expired.
Index(
    "ix_orders_pending_expire",
    orders.c.offer,
    orders.c.expire_at_ms,
    sqlite_where=orders.c.status == "pending",
    postgresql_where=orders.c.status == "pending",
)

order_units = Table(
    "order_units",
    metadata,
    # No foreign key: rows are only ever written in their order's own transaction, and PostgreSQL would spend a
    # third of the time of a bulk insert on locking orders that it has just inserted.
    Column("order_no", String(32), primary_key=True),
    Column("unit", BigInteger, primary_key=True),
    Column("offer", String(120), nullable=False),
    Column("shopper", String(64), nullable=False),
    Column("slot", Integer, nullable=False),
    # Held: active. Given back for sale: released. Neither: refunded, and the number is not sold again.
    Column("active", Boolean, nullable=False),
    Column("released", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("unit > 0", name="unit"),
    CheckConstraint("slot > 0", name="slot"),
)
Index(
    "uq_order_units_unit",
    order_units.c.offer,
    order_units.c.unit,
    unique=True,
    sqlite_where=order_units.c.active == true(),
    postgresql_where=order_units.c.active == true(),
)
Index(
    "uq_order_units_slot",
    order_units.c.offer,
    order_units.c.shopper,
    order_units.c.slot,
    unique=True,
    sqlite_where=order_units.c.active == true(),
    postgresql_where=order_units.c.active == true(),
)
# Recovery and the fence find these without reading all that was ever given back.
REFUNDED = and_(order_units.c.active == false(), order_units.c.released == false())
Index(
    "ix_order_units_refunded",
    order_units.c.offer,
    order_units.c.unit,
    sqlite_where=REFUNDED,
    postgresql_where=REFUNDED,
)

order_events = Table(
    "order_events",
    metadata,
    # SQLite counts up by itself only in an INTEGER key.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_no", String(32), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    # Who: a shopper, an operator's key, or a part of the system.
    Column("actor", String(100), nullable=False),
    Column("before", String(16), nullable=False),
    Column("after", String(16), nullable=False),
    Column("detail", JSON, nullable=False),
)

# Units on their way back to Redis, written with the change of the order that gives them up.
unit_releases = Table(
    "unit_releases",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("order_no", String(32), nullable=False),
    Column("offer", String(120), nullable=False),
    Column("shopper", String(64), nullable=False),
    Column("units", JSON, nullable=False),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("done_at_ms", BigInteger),
    Index("ix_unit_releases_offer_done", "offer", "done_at_ms"),
)
Index(
    "ix_unit_releases_waiting",
    unit_releases.c.id,
    sqlite_where=unit_releases.c.done_at_ms.is_(None),
    postgresql_where=unit_releases.c.done_at_ms.is_(None),
)

# Raises and cuts of an offer's stock, each applied once per operation id whatever crashes in between.
stock_operations = Table(
    "stock_operations",
    metadata,
    Column("operation_id", String(160), primary_key=True),
    Column("offer", String(120), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("delta", BigInteger, nullable=False),
    # pending, applied or refused.
    Column("state", String(16), nullable=False, index=True),
    # The answer, once there is one: stock and left after it, or the lowest stock a cut could have reached.
    Column("stock", BigInteger),
    Column("left", BigInteger),
    Column("lowest", BigInteger),
    Column("created_at_ms", BigInteger, nullable=False),
)

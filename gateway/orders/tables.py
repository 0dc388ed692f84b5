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

ORDER_STATES = (
    "pending",
    "deposit_paid",
    "balance_due",
    "awaiting_group",
    "paid",
    "shipped",
    "completed",
    "refunding",
    "cancelled",
    "expired",
    "refunded",
)
OVER_STATES = ("cancelled", "expired", "refunded")
"""States in which an order holds nothing any more."""
ACTIVE_STATES = tuple(state for state in ORDER_STATES if state not in OVER_STATES)
"""States in which an order holds its units."""

SECKILL = "seckill"
"""The flow of orders that the gateway sold; the columns that only these have are empty in all others."""

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

# What the order writer inserts although the column may be null in orders that it does not write.
WON = {"bulk": True}

orders = Table(
    "orders",
    metadata,
    Column("order_no", String(32), primary_key=True),
    # Where the order comes from: seckill, cart, presale or group_buy.
    Column("flow", String(16), nullable=False, server_default=SECKILL, info={"bulk": False}),
    Column("offer", String(120), info=WON),
    # Of an order in one campaign with one product; a cart's are on its lines.
    Column("campaign", String(40), info=WON),
    Column("sku", String(80), info=WON),
    Column("shopper", String(64), nullable=False),
    # All units that are paid for, on all lines; gifts do not count.
    Column("quantity", Integer, nullable=False),
    Column("price", BigInteger, info=WON),
    # What is paid in the end.
    Column("total", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(16), nullable=False),
    Column("epoch", Integer, info=WON),
    Column("shard", Integer, info=WON),
    Column("bucket", Integer, info=WON),
    Column("entry", String(40), info=WON),
    Column("won_at_ms", BigInteger, info=WON),
    Column("pay_by_ms", BigInteger, info=WON),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expire_at_ms", BigInteger, nullable=False),
    # Digest of the Idempotency-Key, or nothing: recovery gives it back to Redis with the ticket.
    Column("key", String(64), nullable=False, server_default=""),
    # What the lines cost at base price, and what was taken off it: by promotions, and by the coupon.
    Column("subtotal", BigInteger),
    Column("discount", BigInteger),
    Column("coupon", String(40)),
    Column("coupon_discount", BigInteger),
    Column("channel", String(16)),
    Column("note", String(500)),
    # The group of shoppers that buys together.
    Column("group_id", String(32)),
    # Digest of the body that the order was made from: what comes again under its key must be the same.
    Column("request", String(64)),
    # What happens to an order later; the order writer leaves these empty.
    Column("address", JSON(none_as_null=True)),
    Column("paid_at_ms", BigInteger),
    Column("shipped_at_ms", BigInteger),
    Column("carrier", String(60)),
    Column("tracking_no", String(80)),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("flow <> 'seckill' OR (offer IS NOT NULL AND total = price * quantity)", name="total"),
    Index("ix_orders_offer_created", "offer", "created_at_ms", "order_no"),
    Index("ix_orders_shopper_created", "shopper", "created_at_ms", "order_no"),
    Index("ix_orders_created", "created_at_ms", "order_no"),
    Index("ix_orders_campaign", "campaign"),
    Index("ix_orders_group", "group_id"),
)
# A checkout is repeated under its key, and then finds its order.
KEYED = and_(orders.c.flow != SECKILL, orders.c.key != "")
Index(
    "uq_orders_checkout_key",
    orders.c.shopper,
    orders.c.key,
    unique=True,
    sqlite_where=KEYED,
    postgresql_where=KEYED,
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

MADE_TOGETHER = "orders.created"
"""The kind of an event that stands for many of the kind order.created: its body names their `orders`."""

# What happened, for webhooks: written in the transaction that did it.
events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # Given later and in order of delivery: a transaction with a smaller id may commit after one with a larger. Of
    # a row that stands for many events it is the last one's.
    Column("number", BigInteger, unique=True),
    # Such as order.paid; what it is about; and what to say besides.
    Column("kind", String(40), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "ix_events_unnumbered",
    events.c.id,
    sqlite_where=events.c.number.is_(None),
    postgresql_where=events.c.number.is_(None),
)

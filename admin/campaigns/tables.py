"""Tables of campaigns. What an offer should be is in the ledger's `offers`; these say why.

State is derived from flags and the window, and never stored.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from gateway.orders.tables import metadata

campaigns = Table(
    "campaigns",
    metadata,
    Column("code", String(40), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("starts_at_ms", BigInteger),
    Column("ends_at_ms", BigInteger),
    Column("priority", Integer, nullable=False),
    # Texts, audience, rule and whatever else the type has, as the operator gave them.
    Column("terms", JSON, nullable=False),
    Column("draft", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("terminated_at_ms", BigInteger),
    # Who wants everybody paid back who bought in it, until that is done.
    Column("refund_all_by", String(100)),
    Column("archived", Boolean, nullable=False, default=False),
    # Deleted, while its offers are still being taken out of Redis.
    Column("removing", Boolean, nullable=False, default=False),
    Column("demo", Boolean, nullable=False, default=False),
    Column("revision", Integer, nullable=False),
    # What lists show of the items without reading them; holds only for the revision it names.
    Column("summary", JSON(none_as_null=True)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_campaigns_created", "created_at_ms", "code"),
)

campaign_items = Table(
    "campaign_items",
    metadata,
    Column("campaign", String(40), ForeignKey("campaigns.code"), primary_key=True),
    Column("sku", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("terms", JSON, nullable=False),
    # Taken off the list while running: its offer is terminated and kept.
    Column("removed", Boolean, nullable=False, default=False),
    # Unsold units that went back to the product's free stock after the end, and whether that is final.
    Column("returned", BigInteger, nullable=False, default=0),
    Column("settled", Boolean, nullable=False, default=False),
    CheckConstraint("returned >= 0", name="returned"),
)

offer_removals = Table(
    "offer_removals",
    metadata,
    Column("offer", String(120), ForeignKey("offers.id"), primary_key=True),
    Column("requested_at_ms", BigInteger, nullable=False),
)

"""Every table of the database, on one metadata: the ledger's and the sidecar's."""

from __future__ import annotations

from admin.audit.tables import audit
from admin.campaigns.tables import campaign_items, campaigns, offer_removals, stock_operations
from admin.catalog.tables import products
from gateway.orders.tables import metadata

__all__ = [
    "audit",
    "campaign_items",
    "campaigns",
    "metadata",
    "offer_removals",
    "products",
    "stock_operations",
]

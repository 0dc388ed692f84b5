"""Every table of the database, on one metadata: the ledger's and the sidecar's."""

from __future__ import annotations

from admin.audit.tables import audit
from admin.campaigns.tables import campaign_items, campaigns, offer_removals
from admin.catalog.tables import products
from admin.payments.tables import payment_callbacks, payments, refunds
from admin.reminders.tables import notices, reminders
from gateway.orders.tables import metadata

__all__ = [
    "audit",
    "campaign_items",
    "campaigns",
    "metadata",
    "notices",
    "offer_removals",
    "payment_callbacks",
    "payments",
    "products",
    "refunds",
    "reminders",
]

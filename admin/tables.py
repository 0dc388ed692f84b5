"""Every table of the database, on one metadata: the ledger's and the sidecar's."""

from __future__ import annotations

from admin.audit.tables import audit
from admin.campaigns.tables import campaign_items, campaigns, offer_removals
from admin.catalog.tables import categories, products
from admin.changes import change_counter, changes
from admin.coupons.tables import coupons
from admin.members.tables import members
from admin.payments.tables import payment_callbacks, payments, refunds
from admin.quotes.tables import quotes
from admin.reminders.tables import notices, reminders
from admin.sessions.tables import sessions
from admin.sheets.tables import imports
from gateway.orders.tables import metadata

__all__ = [
    "audit",
    "campaign_items",
    "campaigns",
    "categories",
    "change_counter",
    "changes",
    "coupons",
    "imports",
    "members",
    "metadata",
    "notices",
    "offer_removals",
    "payment_callbacks",
    "payments",
    "products",
    "quotes",
    "refunds",
    "reminders",
    "sessions",
]

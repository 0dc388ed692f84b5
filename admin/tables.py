"""Every table of the database, on one metadata: the ledger's and the sidecar's."""

from __future__ import annotations

from admin.audit.tables import audit
from admin.campaigns.tables import campaign_items, campaigns, offer_removals
from admin.carts.tables import carts
from admin.catalog.tables import categories, products
from admin.changes import change_counter, changes
from admin.coupons.tables import coupon_batches, coupon_claims, coupon_codes, coupons
from admin.events.tables import event_counter, webhooks
from admin.groups.tables import groups
from admin.members.tables import members
from admin.memberships.tables import membership_grants
from admin.notices.tables import notices
from admin.operators.tables import operator_sessions, operators
from admin.orders.tables import order_lines
from admin.payments.tables import payment_callbacks, payments, refund_transfers, refunds
from admin.presales.tables import presale_orders
from admin.quotes.tables import quotes
from admin.reminders.tables import reminders
from admin.reservations.tables import reservations, tallies
from admin.sessions.tables import sessions
from admin.sheets.tables import imports
from gateway.orders.tables import metadata

__all__ = [
    "audit",
    "campaign_items",
    "campaigns",
    "carts",
    "categories",
    "change_counter",
    "changes",
    "coupon_batches",
    "coupon_claims",
    "coupon_codes",
    "coupons",
    "event_counter",
    "groups",
    "imports",
    "members",
    "membership_grants",
    "metadata",
    "notices",
    "offer_removals",
    "operator_sessions",
    "operators",
    "order_lines",
    "payment_callbacks",
    "payments",
    "presale_orders",
    "products",
    "quotes",
    "refund_transfers",
    "refunds",
    "reminders",
    "reservations",
    "sessions",
    "tallies",
    "webhooks",
]

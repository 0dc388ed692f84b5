"""What the states of orders, their steps, payments and refunds are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from admin.orders.models import Event
from admin.pages.locales import lazy_gettext as _

STATES: Mapping[str, Any] = {
    "pending": _("To be paid"),
    "deposit_paid": _("Deposit paid"),
    "balance_due": _("Balance due"),
    "awaiting_group": _("Waiting for the group"),
    "paid": _("Paid"),
    "shipped": _("Shipped"),
    "completed": _("Completed"),
    "refunding": _("Refund under way"),
    "refunded": _("Refunded"),
    "cancelled": _("Cancelled"),
    "expired": _("Expired"),
}
"""In the order in which they come."""

KINDS: Mapping[str, str] = {
    "pending": "",
    "balance_due": "",
    "deposit_paid": "cool",
    "awaiting_group": "cool",
    "paid": "good",
    "shipped": "good",
    "completed": "good",
    "refunding": "cool",
    "refunded": "quiet",
    "cancelled": "quiet",
    "expired": "quiet",
}
"""How badges show them."""

FLOWS: Mapping[str, Any] = {
    "seckill": _("Flash sale"),
    "presale": _("Pre-sale"),
    "group_buy": _("Group buy"),
}

PURPOSES: Mapping[str, Any] = {"full": _("Payment"), "deposit": _("Deposit"), "balance": _("Balance")}

PAYMENTS: Mapping[str, Any] = {
    "started": _("on its way"),
    "settled": _("received"),
    "refused": _("refused"),
}

REFUNDS: Mapping[str, Any] = {
    "requested": _("The shop has been asked and will decide."),
    "sending": _("The money is on its way back."),
    "settled": _("The money is back."),
    "rejected": _("The shop did not agree."),
}

REASONS: Mapping[str, Any] = {
    "asked": _("You asked for it."),
    "group_failed": _("The group did not become full."),
    "balance_missed": _("The balance was not paid in time."),
    "terminated": _("The shop ended the sale."),
    "late_payment": _("The money came after the order was over."),
    "double_payment": _("The order had been paid already."),
}

_ACTORS: Mapping[str, Any] = {"shopper": _("by you"), "operator": _("by the shop")}


def step(event: Event) -> Any:
    """What happened in one step of an order's history."""
    if event.before is None:
        return _("Placed")
    if event.before == "refunding" and event.after != "refunded":
        return _("Refund closed")
    return STATES[event.after]


def doer(event: Event) -> Any:
    """Who did it, where it was somebody."""
    return _ACTORS.get(event.actor, "")

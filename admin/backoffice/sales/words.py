"""Words and colours for states and kinds, the same on every page of sales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from admin.pages import locales
from admin.pages.locales import lazy_gettext as _
from admin.promotions import registry
from admin.promotions.model import LANGUAGES


@dataclass(frozen=True, slots=True)
class Word:
    """What something is called, and the colour of its badge."""

    text: Any
    colour: str = "secondary"


CAMPAIGN_STATES: Mapping[str, Word] = {
    "draft": Word(_("Draft"), "yellow"),
    "not_started": Word(_("Not started"), "blue"),
    "running": Word(_("Running"), "green"),
    "paused": Word(_("Paused"), "orange"),
    "ended": Word(_("Ended")),
}

ORDER_STATES: Mapping[str, Word] = {
    "pending": Word(_("To be paid"), "yellow"),
    "deposit_paid": Word(_("Deposit paid"), "azure"),
    "balance_due": Word(_("Balance due"), "yellow"),
    "awaiting_group": Word(_("Waits for its group"), "azure"),
    "paid": Word(_("Paid"), "green"),
    "shipped": Word(_("Shipped"), "blue"),
    "completed": Word(_("Completed"), "teal"),
    "refunding": Word(_("Being refunded"), "orange"),
    "cancelled": Word(_("Cancelled")),
    "expired": Word(_("Expired")),
    "refunded": Word(_("Refunded")),
}

FLOWS: Mapping[str, Any] = {
    "seckill": _("Flash sale"),
    "cart": _("Cart"),
    "presale": _("Pre-sale"),
    "group_buy": _("Group buy"),
}

REFUND_STATES: Mapping[str, Word] = {
    "requested": Word(_("Waits for a decision"), "yellow"),
    "sending": Word(_("Money under way"), "blue"),
    "settled": Word(_("Paid back"), "green"),
    "rejected": Word(_("Declined")),
}

REFUND_REASONS: Mapping[str, Any] = {
    "asked": _("Asked for"),
    "group_failed": _("The group did not fill"),
    "balance_missed": _("The balance was not paid"),
    "terminated": _("The campaign was ended"),
    "late_payment": _("Paid too late"),
    "double_payment": _("Paid twice"),
}

PAYMENT_STATES: Mapping[str, Word] = {
    "started": Word(_("Started"), "yellow"),
    "settled": Word(_("Received"), "green"),
    "refused": Word(_("Refused"), "red"),
}

PURPOSES: Mapping[str, Any] = {"full": _("In full"), "deposit": _("Deposit"), "balance": _("Balance")}

LINE_KINDS: Mapping[str, Any] = {"goods": "", "add_on": _("Add-on"), "gift": _("Gift")}

OFFER_STATES: Mapping[str, Any] = {
    "open": _("on sale"),
    "paused": _("paused"),
    "terminated": _("over"),
    "pending": _("being published"),
    "unavailable": _("not available: it must be recovered"),
}

CHANNELS: Mapping[str, Any] = {
    "web": _("Web"),
    "app": _("App"),
    "mini_program": _("Mini program"),
    "store": _("Store"),
}

ACTORS: Mapping[str, Any] = {
    "shopper": _("the shopper"),
    "writer": _("the order writer"),
    "operator": _("an operator"),
    "system": _("the shop itself"),
    "payment": _("the payment"),
    "refund": _("a refund"),
    "expiry": _("the time to pay ran out"),
    "presale": _("the pre-sale's time plan"),
    "group": _("the group buy"),
    "command": _("the command line"),
}


DEEDS: Mapping[str, Any] = {
    "create": _("made"),
    "change": _("changed"),
    "delete": _("deleted"),
    "archive": _("archived"),
    "publish": _("published"),
    "pause": _("paused"),
    "resume": _("resumed"),
    "terminate": _("ended for good"),
    "copy": _("copied"),
    "stock": _("changed the stock of"),
    "sign_in": _("signed in"),
    "signed_out": _("was signed out"),
    "locked": _("was locked out after wrong passwords"),
    "ship": _("shipped"),
    "complete": _("completed"),
    "cancel": _("cancelled"),
    "refund": _("paid back"),
    "reject refund": _("declined to pay back"),
}
"""What the audit log says was done; anything else is shown as it is written down."""


def type_titles() -> dict[str, str]:
    """Every type of campaign with its name, in the reader's language."""
    tag = locales.tag()
    return {name: each.title.get(tag, each.title[LANGUAGES[0]]) for name, each in registry.available().items()}


def actor(text: str) -> str:
    """Who did something: a person by name, a part of the system in words."""
    kind, _space, name = text.partition(" ")
    return name or str(ACTORS.get(kind, kind))

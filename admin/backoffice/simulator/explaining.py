"""A quote put into words: for each line every campaign with its reason, for each campaign its lines and gifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from starlette.requests import Request

from admin.backoffice.sales.words import Word
from admin.errors import NotFound
from admin.pages.asking import ask
from admin.pages.locales import lazy_gettext as _

CHOICES: Mapping[str, Word] = {
    "applied": Word(_("Applied"), "green"),
    "not_reached": Word(_("Joined, threshold not reached"), "yellow"),
    "beaten": Word(_("Another goes first")),
    "not_eligible": Word(_("Not for this shopper"), "orange"),
    "not_running": Word(_("Not running then")),
    "excluded": Word(_("Product left out"), "orange"),
    "exhausted": Word(_("Used up"), "red"),
    "own_button": Word(_("Has its own button"), "blue"),
    "error": Word(_("Cannot be read"), "red"),
}
LINES: Mapping[str, Word] = {
    "ok": Word(_("Counts"), "green"),
    "unavailable": Word(_("Not for sale"), "red"),
    "short_stock": Word(_("Too little stock"), "orange"),
    "unselected": Word(_("Not selected")),
}
COUPONS: Mapping[str, Word] = {
    "applied": Word(_("Applied"), "green"),
    "threshold_not_met": Word(_("Threshold not met"), "yellow"),
    "nothing_in_scope": Word(_("Nothing in its scope"), "orange"),
    "not_running": Word(_("Not running then")),
    "not_eligible": Word(_("Not for this shopper"), "orange"),
    "exhausted": Word(_("Used up"), "red"),
    "not_claimed": Word(_("Not claimed"), "orange"),
    "unknown": Word(_("There is no such coupon"), "red"),
}


@dataclass(frozen=True, slots=True)
class Offered:
    """What a joined campaign lets shoppers choose: gifts, and add-ons with their prices."""

    code: str
    name: str
    gifts: Sequence[str]
    add_ons: Sequence[tuple[str, int]]


def sentence(reason: str | None) -> str:
    """A reason without its code, which is for programs."""
    return reason.partition(": ")[2] or reason if reason else ""


def units(payables: Sequence[int]) -> list[tuple[int, int]]:
    """What the units of a line cost, equal neighbours together: how many, and how much each."""
    return [(len(list(some)), price) for price, some in groupby(payables)]


async def campaigns(request: Request, quote: Mapping[str, Any]) -> dict[str, Offered]:
    """What the campaigns that lines joined let shoppers choose, by code."""
    joined = {line["campaign"] for line in quote["lines"] if line["campaign"]}
    found = {}
    for code in sorted(joined | {group["campaign"] for group in quote["groups"]}):
        try:
            campaign = await ask(request, "read_campaign", path={"code": code})
        except NotFound:
            continue
        found[code] = _offered(campaign)
    return found


def _offered(campaign: Any) -> Offered:
    rule = campaign.rule
    steps = [each for each in (rule, *rule.get("tiers", [])) if isinstance(each, dict)]
    gifts = [gift["sku"] for each in steps for gift in _listed(each.get("gifts")) if "sku" in gift]
    add_ons = [(option["sku"], option["price"]) for each in steps for option in _listed(each.get("options"))]
    name = campaign.name or campaign.label or campaign.code
    return Offered(campaign.code, name, list(dict.fromkeys(gifts)), list(dict.fromkeys(add_ons)))


def _listed(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []

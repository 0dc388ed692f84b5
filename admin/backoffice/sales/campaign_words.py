"""What a campaign says, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from admin.backoffice.sales.words import OFFER_STATES
from admin.campaigns.models import Campaign, CampaignSummary
from admin.gate.standing import CampaignStanding
from admin.pages import locales
from admin.pages.locales import gettext, ngettext
from admin.pages.locales import lazy_gettext as _
from admin.resources import Resources

TERMS: Mapping[str, Any] = {
    "price": _("Price"),
    "percent_off": _("Percent off"),
    "amount_off": _("Off"),
    "deposit": _("Deposit"),
    "deposit_percent": _("Deposit in percent"),
    "stock": _("Stock"),
    "offer_price": _("Sold for"),
    "offer_state": _("On the gateway"),
}
"""What a product may have of its own in a campaign."""
_MONEY = {"price", "amount_off", "deposit", "offer_price"}
_PERCENT = {"percent_off", "deposit_percent"}


@dataclass(frozen=True, slots=True)
class Row:
    """A product on a campaign's list: its own terms as text, by their names."""

    sku: str
    name: str | None
    base: int | None
    removed: bool
    terms: Mapping[str, str]


def called(campaign: CampaignSummary) -> str:
    """Its name in the reader's language, or its code."""
    texts = campaign.texts.get(locales.tag()) or {}
    return texts.get("name") or campaign.name or campaign.code


def audience(campaign: CampaignSummary) -> list[str]:
    """For whom it is: all of these conditions hold."""
    wanted = campaign.audience
    if wanted.get("kind") != "members":
        return [gettext("Everyone")]
    lines = []
    if wanted.get("levels"):
        levels = ", ".join(map(str, wanted["levels"]))
        lines.append(gettext("Members of level %(levels)s") % {"levels": levels})
    if wanted.get("member_days"):
        days = wanted["member_days"]
        text = ngettext("Members for at least %(count)s day", "Members for at least %(count)s days", days)
        lines.append(text % {"count": locales.number(days)})
    if wanted.get("birthday"):
        on_day = wanted["birthday"] == "day"
        lines.append(gettext("On their birthday") if on_day else gettext("In the month of their birthday"))
    if wanted.get("new_customer"):
        lines.append(gettext("Who has not bought anything yet"))
    return lines or [gettext("Members")]


def limits(resources: Resources, campaign: CampaignSummary) -> list[str]:
    """How much of it there is."""
    given = campaign.limits or {}
    lines = []
    if given.get("per_shopper") is not None:
        lines.append(gettext("For one shopper: %(count)s") % {"count": locales.number(given["per_shopper"])})
    if given.get("total") is not None:
        lines.append(gettext("In all: %(count)s") % {"count": locales.number(given["total"])})
    if given.get("budget") is not None:
        budget = locales.money(given["budget"], resources.currency)
        lines.append(gettext("Given away at most: %(amount)s") % {"amount": budget})
    return lines


def items(resources: Resources, campaign: Campaign, standing: CampaignStanding | None) -> list[Row]:
    """The list of its products."""
    goods = {} if standing is None else {each.sku: each for each in standing.goods}
    rows = []
    for item in campaign.items:
        given = item.model_dump()
        good = goods.get(item.sku)
        rows.append(
            Row(
                sku=item.sku,
                name=None if good is None else good.name,
                base=None if good is None else good.price,
                removed=item.removed,
                terms={name: _term(resources, name, given[name]) for name in TERMS if given.get(name) is not None},
            )
        )
    return rows


def _term(resources: Resources, name: str, value: Any) -> str:
    if name in _MONEY:
        return locales.money(value, resources.currency)
    if name in _PERCENT:
        return f"{value} %"
    if name == "offer_state":
        return str(OFFER_STATES[value])
    return locales.number(value)

"""The last step: what publishing would mean, a cart to try, and the button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request

from admin.backoffice.wizard import spelling, steps, trying
from admin.backoffice.wizard.catalogue import products_of
from admin.campaigns.models import Campaign
from admin.errors import FieldError
from admin.gate.models import CampaignCheck, CheckError, CheckWarning
from admin.pages.asking import allowed, ask
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import field_told
from admin.sessions.occurrence import occurrence

ORDERS = 200
"""Carts of the newest orders that the report prices."""


_WARNINGS: Mapping[str, str] = {
    "starts_at_once": _("Its start has passed: once published it is on at once."),
    "label_too_wide": _("The label that is made from the rule is too wide for lists. Type a shorter one."),
    "no_goods": _("Nothing that is on sale takes part now."),
    "not_below_base": _("These would not get cheaper, so they are left out:"),
    "below_cost": _("A unit would be sold below its cost, gifts included:"),
    "add_on_below_cost": _("These would be added below their cost:"),
    "no_such_member": _("No member has one of these levels now."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to look at, what it is about, and the step where that is put right."""

    step: str
    step_title: str
    about: str
    text: str


async def report(request: Request, campaign: Campaign, *, orders: int) -> CampaignCheck:
    """The gate's report about a draft."""
    found: CampaignCheck = await ask(
        request, "check_campaign", query={"orders": str(orders)}, body={"code": campaign.code}
    )
    return found


async def context(request: Request, campaign: Campaign, found: CampaignCheck | None) -> dict[str, Any]:
    """What the template of the step needs; `found` is there for a draft."""
    errors = [] if found is None else found.errors
    priced = [] if found is None or found.priced is None else found.priced.catalogue.items
    window = None if errors else await _window(request, campaign)
    return {
        "report": found,
        "window": window,
        "problems": [_problem(campaign, each) for each in errors],
        "warnings": [] if found is None else [_warning(campaign, each) for each in found.warnings],
        "names": await products_of(request, (each.sku for each in priced)),
        "may_publish": allowed(request, "publish_campaign"),
        "trial": None if errors else await trying.context(request, campaign, [each.sku for each in priced]),
        "shoppers": trying.SHOPPERS,
        "begins": window is not None and datetime.fromisoformat(window[0]) <= datetime.now(UTC),
    }


async def _window(request: Request, campaign: Campaign) -> tuple[str, str]:
    """From when to when it is on; a draft in a session has that from the session, once it is published."""
    if campaign.starts_at is not None and campaign.ends_at is not None:
        return campaign.starts_at, campaign.ends_at
    named = campaign.rule["session"]
    session = await ask(request, "read_session", path={"id": named["id"]})
    resources = request.state.resources
    starts, ends = occurrence(session, date.fromisoformat(named["date"]), resources.zone)
    return resources.iso(starts), resources.iso(ends)


def _problem(campaign: Campaign, error: CheckError) -> Problem:
    step = steps.step_of(campaign.type, error.field)
    text = field_told(FieldError(error.field, error.code, error.message))
    return Problem(step, steps.title(campaign.type, step), spelling.title(campaign.type, error.field), text)


def _warning(campaign: Campaign, warning: CheckWarning) -> Problem:
    step = steps.step_of(campaign.type, warning.field)
    text = str(_WARNINGS.get(warning.code, warning.message))
    named = ", ".join(warning.skus)
    rest = warning.count - len(warning.skus)
    if named and rest > 0:
        named = gettext("%(names)s and %(count)s more") % {"names": named, "count": rest}
    return Problem(step, steps.title(campaign.type, step), named, text)

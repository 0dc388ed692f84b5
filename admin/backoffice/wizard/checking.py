"""The last step: what publishing would mean, a cart to try, and the button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from admin.backoffice.wizard import steps, trying
from admin.campaigns.models import Campaign
from admin.errors import FieldError
from admin.gate.models import CampaignCheck, CheckError
from admin.pages.asking import allowed, ask
from admin.pages.wording import field_told

ORDERS = 200
"""Carts of the newest orders that the report prices."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why publishing would be refused, and where that is put right."""

    step: str
    step_title: str
    field: str
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
    problems = [_problem(campaign, each) for each in errors]
    return {
        "report": found,
        "problems": problems,
        "may_publish": allowed(request, "publish_campaign"),
        "trial": await trying.context(request, campaign) if not problems else None,
    }


def _problem(campaign: Campaign, error: CheckError) -> Problem:
    step = steps.step_of(campaign.type, error.field)
    text = field_told(FieldError(error.field, error.code, error.message))
    return Problem(step, steps.TITLES[step], error.field, text)

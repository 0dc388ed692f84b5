"""The list of campaigns, and what is done with several at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.routing import route

from admin.backoffice.sales import area, campaign_actions, campaign_words
from admin.backoffice.sales.area import PAGE, Action, chosen
from admin.backoffice.sales.campaign import CampaignPage
from admin.backoffice.showing import show
from admin.campaigns.models import CampaignSummary
from admin.errors import AdminError
from admin.pages import asking
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import told

FILTERS = ("q", "state", "type", "archived", "sort")
AT_ONCE = 500

BULK: Mapping[str, tuple[str, Any]] = {
    "pause": ("pause", _("Pause")),
    "resume": ("resume", _("Resume")),
    "terminate": ("terminate", _("End for good")),
    "archive": ("delete", _("Archive what is over")),
    "delete": ("delete", _("Delete drafts")),
}
"""What may be done with several, by the action that each of them gets."""
_FITS = {"archive": ("ended",), "delete": ("draft",)}
_MISFIT = {"archive": _("It is not over yet."), "delete": _("It is no draft.")}
_ROW_ACTIONS = {
    "draft": ("edit", "publish"),
    "not_started": ("edit", "pause"),
    "running": ("pause",),
    "paused": ("resume",),
    "ended": ("copy",),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several campaigns. `note` says what was done, `refusal` why nothing was."""

    code: str
    name: str
    note: str | None = None
    refusal: str | None = None


class Campaigns(CampaignPage):
    """The list, in the menu; and the pages of single campaigns below it."""

    menu_label = _("Campaigns")
    icon = "fa-solid fa-tags"

    @route("")
    async def index(self, request: Request) -> Response:
        """The list."""
        given = chosen(request, (*FILTERS, "cursor"))
        query = {"sort": "start", "limit": str(PAGE), **given}
        listed = await asking.ask(request, "list_campaigns", query=query)
        return show(
            self,
            request,
            "sales/campaigns.html",
            title=_("Campaigns"),
            rows=[(each, _row_actions(request, each)) for each in listed.items],
            turns=area.turned(request, listed.next),
            given=given,
            filtered=bool(given.keys() - {"sort", "cursor"}),
            csv=f"/admin/campaigns/export.csv?{urlencode({k: v for k, v in given.items() if k != 'cursor'})}",
            bulk=[
                Action(name, str(title), area.role_reason(request, campaign_actions.operation(action)))
                for name, (action, title) in BULK.items()
            ],
            called=campaign_words.called,
            may_make=area.role_reason(request, "create_campaign"),
            **area.shared(),
        )

    # Routes are tried by the names of their methods, the last one first: before that of one page.
    @route("/export.csv")
    async def taken_along(self, request: Request) -> Response:
        """The same list, or some of it, as a file."""
        reply: Response = await asking.ask(request, "export_campaigns", query=chosen(request, (*FILTERS, "codes")))
        return reply

    @route("", methods=["POST"])
    async def several(self, request: Request) -> Response:
        """Ask whether it is meant, and then do it, campaign by campaign."""
        form = await request.form()
        action = area.typed(form, "action")
        codes = list(dict.fromkeys(str(code) for code in form.getlist("code")))[:AT_ONCE]
        if action == "export" and codes:
            return RedirectResponse(f"/admin/campaigns/export.csv?{urlencode({'codes': ','.join(codes)})}", 303)
        if action not in BULK or not codes:
            return RedirectResponse("/admin/campaigns", 303)
        found = await _found(request, codes)
        outcomes = None
        if "confirmed" in form:
            outcomes = [await _done(request, each, action) for each in found]
        return show(
            self,
            request,
            "sales/several.html",
            title=BULK[action][1],
            action=action,
            effect=campaign_actions.EFFECTS[BULK[action][0]],
            campaigns=found,
            outcomes=outcomes,
            called=campaign_words.called,
            **area.shared(),
        )


def _row_actions(request: Request, campaign: CampaignSummary) -> list[Action]:
    offered = campaign_actions.offered(request, campaign)
    return [offered[name] for name in _ROW_ACTIONS[campaign.state]]


async def _found(request: Request, codes: list[str]) -> list[CampaignSummary]:
    """Those of the chosen campaigns that there still are."""
    asked = {"codes": ",".join(codes), "limit": str(AT_ONCE)}
    found: list[CampaignSummary] = []
    for archived in ("false", "true"):
        page = await asking.ask(request, "list_campaigns", query={**asked, "archived": archived})
        found += page.items
    return found


async def _done(request: Request, campaign: CampaignSummary, action: str) -> Outcome:
    name = campaign_words.called(campaign)
    if action in _FITS and (campaign.state not in _FITS[action] or campaign.archived):
        return Outcome(campaign.code, name, refusal=str(_MISFIT[action]))
    try:
        note = await campaign_actions.do(request, campaign.code, BULK[action][0])
    except AdminError as error:
        return Outcome(campaign.code, name, refusal=told(error))
    return Outcome(campaign.code, name, note=note)

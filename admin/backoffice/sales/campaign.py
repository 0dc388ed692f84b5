"""The page of one campaign, and everything that can be done with it."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from admin.backoffice.sales import area, campaign_actions, campaign_words, difference, words
from admin.backoffice.sales.area import Area, typed
from admin.backoffice.sales.windows import Window
from admin.backoffice.showing import go, show
from admin.campaigns.models import Campaign
from admin.errors import AdminError, Conflict, Deferred, Forbidden, Invalid, NotFound
from admin.gate.standing import CampaignStanding
from admin.pages import asking
from admin.pages.wording import by_field, told

HISTORY = "50"


class CampaignPage(Area):
    """Routes below `/campaigns/{code}`; the list of campaigns adds its own."""

    path = "/campaigns"

    @route("/{code}")
    async def one(self, request: Request) -> Response:
        """The page; `?do=pause` opens the question of an action."""
        return await self._show(request, wanted=request.query_params.get("do"))

    @route("/{code}/{action}", methods=["POST"])
    async def act(self, request: Request) -> Response:
        """Do something with it that was confirmed, or make a copy."""
        code, action = request.path_params["code"], request.path_params["action"]
        form = await request.form()
        if action == "copy":
            return await self._copy(request, code, form)
        if action not in campaign_actions.CONFIRMED:
            raise NotFound("there is no such page")
        everybody = action == "terminate" and "refund_all" in form
        try:
            note = await campaign_actions.do(
                request, code, action, if_match=area.revision(form), refund_all=everybody
            )
        except Deferred as error:
            return go(request, f"/campaigns/{code}", told(error), kind="warning")
        except Invalid as error:
            return await self._show(request, wanted=action, error=told(error), problems=_sentences(error))
        except (NotFound, Forbidden):
            raise
        except AdminError as error:
            return await self._show(request, wanted=action, error=told(error))
        gone = action == "delete"
        return go(request, "/campaigns" if gone else f"/campaigns/{code}", note)

    async def _copy(self, request: Request, code: str, form: FormData) -> Response:
        window = Window(typed(form, "starts_at"), typed(form, "ends_at"))
        body: dict[str, Any] = {name: typed(form, name) for name in ("code", "name") if typed(form, name)}
        try:
            body |= window.body(request.state.resources.zone)
            copied = await asking.ask(request, "copy_campaign", path={"code": code}, body=body)
        except Invalid as error:
            return await self._show(request, wanted="copy", fields=by_field(error.errors), given=form)
        except Conflict as error:
            fields = {"code": [told(error)]} if error.code == "code_taken" else {}
            return await self._show(
                request, wanted="copy", error=None if fields else told(error), fields=fields, given=form
            )
        return go(request, f"/wizard/{copied.code}")

    async def _show(
        self,
        request: Request,
        *,
        wanted: str | None = None,
        error: str | None = None,
        problems: list[str] | None = None,
        fields: dict[str, list[str]] | None = None,
        given: FormData | None = None,
    ) -> Response:
        path = {"code": request.path_params["code"]}
        campaign: Campaign = await asking.ask(request, "read_campaign", path=path)
        standing = await _standing(request, campaign)
        log = await asking.ask(
            request,
            "list_changes",
            query={"kind": "campaign", "subject": campaign.code, "limit": HISTORY},
        )
        resources = request.state.resources
        failed = bool(error or problems or fields)
        return show(
            self,
            request,
            "sales/campaign.html",
            status=409 if error else 422 if failed else 200,
            title=campaign_words.called(campaign),
            campaign=campaign,
            standing=standing,
            actions=campaign_actions.offered(request, campaign),
            effects=campaign_actions.EFFECTS,
            confirmed=campaign_actions.CONFIRMED,
            may_refund_all=area.is_owner(request),
            audience=campaign_words.audience(campaign),
            limits=campaign_words.limits(resources, campaign),
            rows=campaign_words.items(resources, campaign, standing),
            terms=campaign_words.TERMS,
            history=[(each, difference.of(resources, each)) for each in log.items],
            wanted=wanted,
            error=error,
            problems=problems or [],
            fields=fields or {},
            given=given or {},
            **area.shared(),
        )


def _sentences(error: Invalid) -> list[str]:
    return [f"{field}: {text}" for field, texts in by_field(error.errors).items() for text in texts]


async def _standing(request: Request, campaign: Campaign) -> CampaignStanding | None:
    """Its rule in words and its rivals; None where this version cannot read it."""
    if campaign.error is not None or campaign.type not in words.type_titles():
        return None
    found: CampaignStanding = await asking.ask(request, "read_standing", path={"code": campaign.code})
    return found

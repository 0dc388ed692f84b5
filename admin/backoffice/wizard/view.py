"""The pages of the wizard: the first one, and one for each step of a campaign."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.showing import go, show
from admin.backoffice.wizard import basics, beginning, checking, goods, ruling, saving, spelling, steps
from admin.backoffice.wizard.locks import Locks
from admin.backoffice.wizard.saving import Errors, Saved
from admin.campaigns.models import Campaign
from admin.errors import Conflict, Deferred, Invalid, NotFound, StaleRevision
from admin.gate.models import CampaignCheck
from admin.pages.asking import allowed, ask
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import by_field, told


class Wizard(CustomView):
    """Making a campaign, and changing one."""

    menu_label = _("New campaign")
    icon = "fa-solid fa-wand-magic-sparkles"
    path = "/wizard"

    @route("", name="wizard")
    async def index(self, request: Request) -> Response:
        """Types to choose from, and drafts to go on with."""
        return await self._first(request, {})

    @route("", methods=["POST"], name="wizard-begin")
    async def begin(self, request: Request) -> Response:
        """Make the draft, and ask the first question."""
        form = await request.form()
        try:
            campaign = await beginning.make(request, form)
        except Invalid as error:
            return await self._first(request, by_field(error.errors))
        except Conflict as error:
            return await self._first(request, {"code": [told(error)]})
        return go(request, f"/wizard/{campaign.code}/basics")

    async def _first(self, request: Request, errors: Errors) -> Response:
        return show(
            self,
            request,
            "wizard/begin.html",
            title=_("New campaign"),
            errors=errors,
            typed=await request.form() if request.method == "POST" else None,
            status=422 if errors else 200,
            **await beginning.context(request),
        )

    @route("/{code}", name="wizard-campaign")
    async def resume(self, request: Request) -> Response:
        """Go on with the first step that is not done."""
        campaign = await _campaign(request)
        if campaign.state != "draft":
            return go(request, f"/wizard/{campaign.code}/basics")
        bar = steps.bar(campaign.type, (await checking.report(request, campaign, orders=0)).errors)
        first = next((step.name for step in bar if step.standing != "done"), "check")
        return go(request, f"/wizard/{campaign.code}/{first}")

    @route("/{code}/{step}", name="wizard-step")
    async def step(self, request: Request) -> Response:
        """One step."""
        return await self._show(request, Saved(await _campaign(request)), None)

    @route("/{code}/{step}", methods=["POST"], name="wizard-save")
    async def save(self, request: Request) -> Response:
        """Save one step and go where the button says."""
        campaign, step, form = await _campaign(request), request.path_params["step"], await request.form()
        _require(campaign, step)
        if step == "check":
            return await self._publish(request, campaign, form)
        if (edited := ruling.edited(campaign, step, form)) is not None:
            # Nothing was saved: the form is still about the revision that it was filled from.
            seen = {"revision": _number(form, "revision") or campaign.revision}
            return await self._show(request, Saved(campaign.model_copy(update=seen)), edited)
        saved = await _save(request, campaign, step, form)
        if request.headers.get("accept") == "application/json":
            return await _saved_json(request, saved, step)
        if saved.difference is not None or saved.errors:
            return await self._show(request, saved, form)
        if step == "basics" and saved.campaign.state == "draft":
            saved.campaign = await beginning.rename(
                request, saved.campaign, str(form.get("code", "")).strip(), saved.errors
            )
            if saved.errors:
                return await self._show(request, saved, form)
        return _onwards(request, saved, step, form)

    async def _publish(self, request: Request, campaign: Campaign, form: FormData) -> Response:
        saved = Saved(campaign)
        try:
            saved.campaign = await ask(
                request,
                "publish_campaign",
                path={"code": campaign.code},
                if_match=_number(form, "revision"),
            )
        except Invalid:
            # The report on the page has all of it.
            saved.errors[""] = [gettext("It cannot be published yet: see what is left to do.")]
        except (Conflict, StaleRevision) as error:
            saved.errors[""] = [told(error)]
        except Deferred as error:
            return go(request, f"/wizard/{campaign.code}/check", told(error), kind="warning")
        if saved.errors:
            return await self._show(request, saved, None)
        return go(request, f"/wizard/{campaign.code}/check", gettext("The campaign is published."))

    @route("/{code}/goods/found", name="wizard-found")
    async def found(self, request: Request) -> Response:
        """The products that a search finds, to be put into the page."""
        campaign = await _campaign(request)
        found = await goods.search(request, campaign, request.query_params)
        return show(self, request, "wizard/found.html", campaign=campaign, **found)

    async def _show(self, request: Request, saved: Saved, typed: FormData | None) -> Response:
        campaign, step = saved.campaign, request.path_params["step"]
        _require(campaign, step)
        orders = checking.ORDERS if step == "check" else 0
        report = await checking.report(request, campaign, orders=orders) if campaign.state == "draft" else None
        locks = Locks.of(request, campaign)
        revision = campaign.revision if saved.difference is None else _number(typed, "revision")
        return show(
            self,
            request,
            "wizard/step.html",
            title=campaign.name or beginning.title_of(campaign.type),
            status=409 if saved.difference else 422 if saved.errors else 200,
            campaign=campaign,
            type_title=beginning.title_of(campaign.type),
            step=step,
            question=steps.QUESTIONS[step],
            bar=steps.bar(campaign.type, () if report is None else report.errors),
            previous=steps.before(campaign.type, step),
            following=steps.after(campaign.type, step),
            errors=saved.errors,
            difference=saved.difference,
            note=saved.note,
            revision=revision,
            over=campaign.revision if saved.difference else None,
            locked=locks.why,
            may_change=allowed(request, "change_campaign"),
            field_title=lambda field: spelling.title(campaign.type, field),
            **await _context(request, saved, step, typed, report),
        )


async def _campaign(request: Request) -> Campaign:
    campaign: Campaign = await ask(request, "read_campaign", path={"code": request.path_params["code"]})
    return campaign


def _require(campaign: Campaign, step: str) -> None:
    if campaign.error is not None:
        raise Conflict(campaign.error, code="unreadable")
    if step not in steps.of(campaign.type):
        raise NotFound("there is no such step")


def _number(form: FormData | None, name: str) -> int | None:
    text = "" if form is None else str(form.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


async def _context(
    request: Request, saved: Saved, step: str, typed: FormData | None, report: CampaignCheck | None
) -> dict[str, Any]:
    match step:
        case "basics":
            return await basics.context(request, saved.campaign, typed, saved.errors)
        case "goods":
            return await goods.context(request, saved.campaign, typed, saved.errors)
        case "check":
            return await checking.context(request, saved.campaign, report)
    return await ruling.context(request, saved.campaign, step, typed, saved.errors)


async def _save(request: Request, campaign: Campaign, step: str, form: FormData) -> Saved:
    match step:
        case "basics":
            body, errors = basics.take(request, campaign, form)
        case "goods":
            body, errors = await goods.take(request, campaign, form)
        case _:
            body, errors = await ruling.take(request, campaign, step, form)
    revision = _number(form, "revision")
    return await saving.save(
        request,
        campaign.code,
        body,
        errors,
        campaign.revision if revision is None else revision,
        _number(form, "over"),
    )


async def _saved_json(request: Request, saved: Saved, step: str) -> Response:
    """What a script needs that saves as people type."""
    reply: dict[str, Any] = {
        "revision": saved.campaign.revision,
        "changed_elsewhere": saved.difference is not None,
        "errors": {name: " ".join(texts) for name, texts in saved.errors.items()},
        "steps": {},
    }
    if saved.campaign.state == "draft":
        report = await checking.report(request, saved.campaign, orders=0)
        reply["steps"] = {each.name: each.standing for each in steps.bar(saved.campaign.type, report.errors)}
    if step == "goods":
        reply["prices"] = await goods.prices(request, saved.campaign)
    return JSONResponse(reply)


def _onwards(request: Request, saved: Saved, step: str, form: FormData) -> Response:
    campaign, do = saved.campaign, str(form.get("do", "next"))
    target = here = f"/wizard/{campaign.code}/{step}"
    match do:
        case "next":
            target = f"/wizard/{campaign.code}/{steps.after(campaign.type, step)}"
        case "leave":
            target = "/wizard"
        case _ if step == "goods" and (form.get("find") or form.get("find.category")):
            target = f"{here}?{urlencode({name: str(form.get(name, '')) for name in ('find', 'find.category')})}"
    note = saved.note or (gettext("Saved.") if do in {"save", "leave"} else None)
    return go(request, target, note, kind="warning" if saved.note else "success")

"""The live monitor: how seckills sell at this moment, with what an operator may do about it at hand."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.live import outcomes
from admin.backoffice.sales.words import CAMPAIGN_STATES, ORDER_STATES
from admin.backoffice.showing import go, show
from admin.errors import AdminError, Forbidden, Invalid
from admin.live.models import Live
from admin.pages import charts
from admin.pages.asking import allowed, ask
from admin.pages.locales import gettext, number
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import told

ACTIONS: Mapping[str, Any] = {
    "pause": _("Pause the sale"),
    "resume": _("Resume the sale"),
    "terminate": _("End the sale for good"),
    "stock": _("Change the stock"),
}
OPERATIONS = {
    "pause": "pause_campaign",
    "resume": "resume_campaign",
    "terminate": "terminate_campaign",
    "stock": "change_stock",
}


class Monitor(CustomView):
    """All sales that are on, and each of them."""

    menu_label = _("Live")
    icon = "fa-solid fa-tower-broadcast"
    path = "/live"

    @route("")
    async def index(self, request: Request) -> Response:
        """All sales that are on or begin within a day."""
        live = await ask(request, "read_all_live")
        return show(self, request, "live/all.html", title=_("Sales now"), live=live, **_common(request, live))

    @route("/{code}")
    async def one(self, request: Request) -> Response:
        """One sale."""
        return await self._show(request)

    @route("/{code}/{action}", methods=["GET"])
    async def confirm(self, request: Request) -> Response:
        """The question before an action, for browsers without scripts: with them it is a dialog."""
        return await self._asked(request)

    @route("/{code}/{action}", methods=["POST"])
    async def act(self, request: Request) -> Response:
        """Pause, resume, end, or change stock; a script is told of the outcome as JSON."""
        code, action = request.path_params["code"], request.path_params["action"]
        scripted = request.headers.get("accept") == "application/json"
        form = {name: str(value) for name, value in (await request.form()).items()}
        try:
            note = await _do(request, code, action, form)
        except AdminError as error:
            status = 403 if isinstance(error, Forbidden) else 409
            if scripted:
                return JSONResponse({"note": told(error)}, status)
            return await self._asked(request, form, told(error), status=status)
        if scripted:
            return JSONResponse({"note": note, "operation_id": _operation_id()})
        return go(request, f"/live/{code}", note)

    async def _show(self, request: Request) -> Response:
        live: Live = await ask(request, "read_live", path={"code": request.path_params["code"]})
        return show(
            self, request, "live/one.html", title=live.name or live.code, live=live, **_common(request, live)
        )

    async def _asked(
        self, request: Request, form: Mapping[str, str] | None = None, problem: str = "", status: int = 200
    ) -> Response:
        action = request.path_params["action"]
        live: Live = await ask(request, "read_live", path={"code": request.path_params["code"]})
        given = {"sku": request.query_params.get("sku", ""), "operation_id": _operation_id(), **(form or {})}
        return show(
            self,
            request,
            "live/confirm.html",
            status=status if action in ACTIONS else 404,
            title=ACTIONS.get(action, _("There is no such page.")),
            action=action if action in ACTIONS else None,
            form=given,
            problem=problem,
            live=live,
            **_common(request, live),
        )


async def _do(request: Request, code: str, action: str, form: Mapping[str, str]) -> str:
    """Do it, and say so.

    Raises:
        AdminError: it cannot be done.
    """
    if action != "stock":
        body = {"refund_all": "refund_all" in form} if action == "terminate" else None
        await ask(request, OPERATIONS[action], path={"code": code}, body=body)
        return gettext("Done: the next click finds it so.")
    try:
        delta = int(form.get("delta", ""))
    except ValueError as error:
        message = gettext("Type a whole number of units, such as 50 or -20.")
        raise Invalid.one("delta", "not_a_number", message) from error
    reply = await ask(
        request,
        "change_stock",
        path={"code": code, "sku": form.get("sku", "")},
        body={"delta": delta, "operation_id": form.get("operation_id", "")},
    )
    counts = {"stock": number(reply.stock), "left": number(reply.left)}
    return gettext("The stock is %(stock)s now, %(left)s left to sell.") % counts


def _common(request: Request, live: Live) -> dict[str, Any]:
    zone: ZoneInfo = request.state.resources.zone
    points, clock = outcomes.minute(live, zone)
    return {
        "parts": outcomes.PARTS,
        "works": outcomes.HEALTH,
        "reasons": outcomes.REASONS,
        "states": CAMPAIGN_STATES,
        "order_states": ORDER_STATES,
        "actions": ACTIONS,
        "may": {action: allowed(request, name) for action, name in OPERATIONS.items()},
        "owner": allowed(request, "create_operator"),
        "bar": charts.bar,
        "rates_chart": outcomes.rates(points, clock),
        "sold_chart": outcomes.sold(points, clock),
        "outcomes": _outcomes(live),
        "operation_id": _operation_id(),
        "script": json.dumps(
            {
                "groups": [list(each) for _name, each in outcomes.GROUPS],
                "states": {
                    name: {"text": str(word.text), "colour": word.colour} for name, word in CAMPAIGN_STATES.items()
                },
                "orders": {name: str(word.text) for name, word in ORDER_STATES.items()},
                "works": {name: str(outcomes.HEALTH[name == "ok"].text) for name in ("ok", "no")},
                "reasons": {name: str(text) for name, text in outcomes.REASONS.items()},
                "of_stock": gettext("of %(stock)s"),
                "zone": str(zone),
            }
        ),
    }


def _outcomes(live: Live) -> list[tuple[str, str, float, float]]:
    totals: dict[str, int] = {}
    for offer in live.offers:
        for outcome, count in offer.clicks.items():
            totals[outcome] = totals.get(outcome, 0) + count
    return [(key, text, total, live.rates.get(key, 0)) for key, text, total in outcomes.table(totals)]


def _operation_id() -> str:
    return f"monitor-{secrets.token_hex(8)}"

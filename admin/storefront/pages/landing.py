"""A campaign's own page, `/c/{code}`, for people; programs are answered the same in JSON at the same address."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from admin.pages import locales
from admin.storefront.models import ShopCampaign
from admin.storefront.pages import flash
from admin.storefront.pages.refusals import plain
from admin.storefront.pages.visit import Visit, page

PAGE = 24
SAID_BY_STATE = frozenset({"not_started", "paused", "ended", "terminated"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d:\d\d|Z)")


class ForPeople(Route):
    """A route for who would rather read a page than JSON. Others find the operation of the same path behind it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is one of its requests."""
        found = super().matches(scope)
        if found[0] is Match.FULL and not wants_page(Request(scope).headers.get("accept", "")):
            return Match.NONE, {}
        return found


def wants_page(accept: str) -> bool:
    """Whether an `Accept` header puts HTML before JSON; who takes anything gets JSON, as programs do."""
    weights = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        if name in weights:
            try:
                weights[name] = float(weight)
            except ValueError:
                weights[name] = 0.0
    return weights["text/html"] > weights["application/json"]


async def show(visit: Visit) -> Response:
    """`GET /c/{code}`."""
    code, cursor = visit.path["code"], visit.request.query_params.get("cursor")
    query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
    about = await visit.ask("read_shop_campaign", path={"code": code}, query=query)
    sales = []
    if about.type == "seckill":
        sales = (await visit.ask("list_flash_sales", query={"campaign": code, "limit": "200"})).items
    return visit.show(
        "landing.html",
        about=about,
        sales=sales,
        rule=[
            _INSTANT.sub(lambda found: locales.when(found[0], visit.resources.zone), line) for line in about.rule
        ],
        reason=_reason(about),
        gateway=flash.gateway_url(visit),
        now=about.server_time,
    )


def _reason(about: ShopCampaign) -> str | None:
    """Why this shopper may not take part; what the state of the campaign tells already is left out."""
    if about.reason is None or about.reason.partition(":")[0] in SAID_BY_STATE:
        return None
    return plain(about.reason)


_PAGE = page("GET", "/c/{code}", show)
ROUTES = [ForPeople(_PAGE.path, _PAGE.endpoint, methods=["GET"])]
"""To be tried before the API's."""

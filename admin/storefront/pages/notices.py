"""Notices: what a shopper is told, and which of it they have read."""

from __future__ import annotations

from starlette.responses import Response

from admin.pages.locales import gettext as _
from admin.storefront.pages.replies import units
from admin.storefront.pages.visit import Visit, page

SHOWN = "30"


async def show(visit: Visit) -> Response:
    """`GET /notices`."""
    cursor = visit.request.query_params.get("cursor")
    query = {"limit": SHOWN} | ({"cursor": cursor} if cursor else {})
    return visit.show("notices.html", notices=await visit.ask("list_notices", query=query), first=cursor is None)


async def read(visit: Visit) -> Response:
    """`POST /notices`: all are read up to the one that was the newest on the page, `up_to`."""
    await visit.ask("read_notices", body={"up_to": units(visit.value("up_to"))})
    return visit.go("/notices", _("All notices are marked as read."))


ROUTES = [page("GET", "/notices", show), page("POST", "/notices", read)]

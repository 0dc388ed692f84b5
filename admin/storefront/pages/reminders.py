"""Reminders of flash sales: asked for beside a sale, listed and taken back on a page of their own."""

from __future__ import annotations

from starlette.responses import Response

from admin.errors import Conflict, Invalid, NotFound
from admin.pages.addresses import local
from admin.pages.locales import gettext as _
from admin.storefront.pages.refusals import why
from admin.storefront.pages.replies import units
from admin.storefront.pages.visit import Visit, page

HERE = "/reminders"
SHOWN = "50"


async def show(visit: Visit) -> Response:
    """`GET /reminders`."""
    cursor = visit.request.query_params.get("cursor")
    query = {"limit": SHOWN} | ({"cursor": cursor} if cursor else {})
    return visit.show("reminders.html", reminders=await visit.ask("list_reminders", query=query))


async def ask(visit: Visit) -> Response:
    """`POST /reminders`: of the `offer`, `before_s` seconds ahead; then back to the page `next`."""
    following = local(visit.value("next", HERE))
    body: dict[str, str | int] = {"offer": visit.value("offer")}
    if visit.value("before_s"):
        body["before_s"] = units(visit.value("before_s"))
    try:
        asked = await visit.ask("ask_reminder", body=body)
    except (Conflict, Invalid, NotFound) as error:
        return visit.go(following, trouble=why(error))
    minutes = {"minutes": asked.before_s // 60}
    return visit.go(following, _("You get a notice %(minutes)s minutes before the sale begins.") % minutes)


async def withdraw(visit: Visit) -> Response:
    """`POST /reminders/{id}/remove`."""
    try:
        await visit.ask("withdraw_reminder", path={"id": visit.path["id"]})
    except NotFound:
        # It is gone already, which is what was wanted.
        return visit.go(HERE)
    return visit.go(HERE, _("The reminder is taken back."))


ROUTES = [
    page("GET", HERE, show),
    page("POST", HERE, ask),
    page("POST", HERE + "/{id}/remove", withdraw),
]

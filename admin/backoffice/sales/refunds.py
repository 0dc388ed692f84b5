"""The list of refunds: what waits for a decision first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from admin.backoffice.sales import area
from admin.backoffice.sales.area import PAGE, Area, chosen
from admin.backoffice.showing import show
from admin.pages import asking
from admin.pages.locales import lazy_gettext as _

FILTERS = ("state", "reason", "order_no")


class Refunds(Area):
    """Refunds of all orders. They are decided about on the page of their order."""

    menu_label = _("Refunds")
    icon = "fa-solid fa-rotate-left"
    path = "/refunds"

    @route("")
    async def index(self, request: Request) -> Response:
        """The list."""
        given = chosen(request, (*FILTERS, "cursor"))
        listed = await asking.ask(request, "list_refunds", query={"limit": str(PAGE), **given})
        return show(
            self,
            request,
            "sales/refunds.html",
            title=_("Refunds"),
            refunds=listed.items,
            turns=area.turned(request, listed.next),
            given=given,
            filtered=bool(given.keys() - {"cursor"}),
            **area.shared(),
        )

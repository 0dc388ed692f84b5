"""The list of orders."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from admin.backoffice.sales import area
from admin.backoffice.sales.area import PAGE, chosen
from admin.backoffice.sales.order import OrderPages
from admin.backoffice.sales.windows import days
from admin.backoffice.showing import show
from admin.pages import asking
from admin.pages.locales import lazy_gettext as _

SAME = ("q", "status", "flow", "campaign", "sku", "coupon", "shopper")
"""Filters that the API knows by the same name."""
DAYS = ("from", "to")


class Orders(OrderPages):
    """The list, in the menu; and the pages of single orders below it."""

    menu_label = _("Orders")
    icon = "fa-solid fa-box"

    @route("")
    async def index(self, request: Request) -> Response:
        """The list."""
        given = chosen(request, (*SAME, *DAYS, "cursor"))
        listed = await asking.ask(request, "list_orders", query={"limit": str(PAGE), **_query(request)})
        return show(
            self,
            request,
            "sales/orders.html",
            title=_("Orders"),
            orders=listed.items,
            turns=area.turned(request, listed.next),
            given=given,
            filtered=bool(given.keys() - {"cursor"}),
            csv=f"/admin/orders/export.csv?{urlencode({k: v for k, v in given.items() if k != 'cursor'})}",
            **area.shared(),
        )

    # Routes are tried by the names of their methods, the last one first: before that of one page.
    @route("/export.csv")
    async def taken_along(self, request: Request) -> Response:
        """The same list, all of it, as a file."""
        query = {name: value for name, value in _query(request).items() if name != "cursor"}
        reply: Response = await asking.ask(request, "export_orders", query=query)
        return reply


def _query(request: Request) -> dict[str, str]:
    """The filters as the API knows them; days are those of the shop."""
    given = chosen(request, (*SAME, *DAYS, "cursor"))
    span = days(given.pop("from", ""), given.pop("to", ""), request.state.resources.zone)
    return given | span

"""The audit log: who did what, and what was different afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from admin.audit.service import AuditRecord
from admin.backoffice.sales import area, difference
from admin.backoffice.sales.area import PAGE, Area, chosen
from admin.backoffice.sales.windows import days
from admin.backoffice.showing import show
from admin.pages import asking
from admin.pages.locales import lazy_gettext as _

FILTERS = ("actor", "action", "kind", "subject")

KINDS: Mapping[str, Any] = {
    "campaign": _("Campaign"),
    "product": _("Product"),
    "category": _("Category"),
    "coupon": _("Coupon"),
    "member": _("Member"),
    "session": _("Session"),
    "order": _("Order"),
    "operator": _("Operator"),
    "webhook": _("Webhook"),
}
_PAGES = {"campaign": "/admin/campaigns/", "order": "/admin/orders/"}


class AuditLog(Area):
    """Every change by whomever, newest first."""

    menu_label = _("Audit log")
    icon = "fa-solid fa-clock-rotate-left"
    path = "/audit"

    @route("")
    async def index(self, request: Request) -> Response:
        """The log."""
        given = chosen(request, (*FILTERS, "from", "to", "cursor"))
        asked = {name: value for name, value in given.items() if name not in {"from", "to"}}
        resources = request.state.resources
        span = days(given.get("from", ""), given.get("to", ""), resources.zone)
        listed = await asking.ask(request, "list_changes", query={"limit": str(PAGE), **asked, **span})
        return show(
            self,
            request,
            "sales/audit.html",
            title=_("Audit log"),
            records=[(each, difference.of(resources, each), _page(each)) for each in listed.items],
            kinds=KINDS,
            turns=area.turned(request, listed.next),
            given=given,
            filtered=bool(given.keys() - {"cursor"}),
            **area.shared(),
        )


def _page(record: AuditRecord) -> str | None:
    """Where what an entry is about can be seen."""
    start = _PAGES.get(record.kind)
    return start and f"{start}{record.subject}"

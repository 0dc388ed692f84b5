"""A coupon's codes that work once: batches of them are made, watched while they are made, and fetched as CSV."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.records import editing
from admin.backoffice.records.kinds import Unreadable, whole
from admin.backoffice.showing import go, show
from admin.coupons.models import BATCH_MAX, PREFIX_MAX
from admin.errors import Conflict, Invalid
from admin.pages import asking
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _


class Codes(CustomView):
    """The codes of one coupon."""

    menu_label = _("Codes that work once")
    path = "/coupon-codes"
    add_to_menu = False

    @route("")
    async def index(self, request: Request) -> Response:
        """The coupons, of which each has its codes."""
        return go(request, "/coupons/list")

    @route("/{code}", methods=["GET", "POST"], name="coupon-codes-of")
    async def of_coupon(self, request: Request) -> Response:
        """A coupon's batches; a form orders another one."""
        code = request.path_params["code"]
        typed, errors = {"count": "100", "prefix": ""}, {}
        if request.method == "POST":
            form = await request.form()
            typed = {name: str(form.get(name) or "").strip() for name in typed}
            errors = await _order(request, code, typed)
            if not errors:
                return go(request, f"/coupon-codes/{code}", gettext("The codes are being made."))
        coupon = await asking.ask(request, "read_coupon", path={"code": code})
        batches = await asking.ask(request, "list_coupon_codes", path={"code": code}, query={"limit": "100"})
        return show(
            self,
            request,
            "records/codes.html",
            status=422 if errors else 200,
            title=gettext("Codes of %(name)s") % {"name": coupon.name},
            coupon=coupon,
            batches=batches.items,
            typed=typed,
            errors=errors,
            limits={"count": BATCH_MAX, "prefix": PREFIX_MAX},
        )


async def _order(request: Request, code: str, typed: dict[str, str]) -> dict[Any, str]:
    """Have a batch made. What is wrong is returned by field."""
    try:
        body = {"count": whole(typed["count"]), "prefix": typed["prefix"]}
        await asking.ask(request, "make_coupon_codes", path={"code": code}, body=body)
    except Unreadable as error:
        return {"count": str(error)}
    except (Invalid, Conflict) as error:
        return editing.by_field(error, typed, {}).errors
    return {}

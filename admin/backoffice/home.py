"""The first page after signing in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.showing import show
from admin.pages.locales import lazy_gettext as _


class Home(CustomView):
    """What is going on in the shop now."""

    menu_label = _("Today")
    icon = "fa-solid fa-gauge"
    path = "/"

    @route("")
    async def index(self, request: Request) -> Response:
        """The page."""
        return show(self, request, "home.html", title=_("Today"))

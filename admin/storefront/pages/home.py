"""The home page."""

from __future__ import annotations

from starlette.responses import Response

from admin.storefront.pages.visit import Visit, page


async def show(visit: Visit) -> Response:
    """`GET /`."""
    return visit.show("home.html")


ROUTES = [page("GET", "/", show)]

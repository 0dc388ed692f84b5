"""What a browser finds at an address where there is nothing: a page, with the way back to the shop."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from admin import problems
from admin.errors import NotFound
from admin.storefront.pages.landing import wants_page
from admin.storefront.pages.visit import Visit, page


async def _show(visit: Visit) -> Response:
    raise NotFound("there is no such page")


_PAGE = page("GET", "/{path:path}", _show)


async def handle(request: Request, error: Exception) -> Response:
    """The answer where no route answers: people read it as a page, programs as the API tells problems."""
    assert isinstance(error, HTTPException)
    if request.method == "GET" and wants_page(request.headers.get("accept", "")):
        reply: Response = await _PAGE.endpoint(request)
        return reply
    return await problems.handle(request, error)

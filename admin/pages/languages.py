"""The switch of languages: a plain link, since it changes nothing but how pages read."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from admin.pages import locales
from admin.pages.addresses import local

KEPT_S = 365 * 86_400


async def choose(request: Request) -> Response:
    """`GET /language/{locale}?next=/…`: read on in this language.

    Raises:
        HTTPException: there is no such language.
    """
    locale = request.path_params["locale"]
    if locale not in locales.TAGS:
        raise HTTPException(404, "There is no such language.")
    reply = RedirectResponse(local(request.query_params.get("next", "/")), 303)
    # No secret, and scripts of the pages may read it.
    reply.set_cookie(locales.COOKIE, locale, KEPT_S, samesite="lax", secure=request.url.scheme == "https")
    return reply


ROUTES = [Route("/language/{locale}", choose)]

"""Signing in and out. The shop's identity provider says who somebody is; a demo lets anybody be whom they like.

A shop links to `/sign-in?next=/cart#token=JWT`; a script exchanges the token for a cookie that no script can read.
"""

from __future__ import annotations

from starlette.responses import Response

from admin.errors import Unauthenticated
from admin.pages.addresses import local
from admin.pages.locales import gettext as _
from admin.pages.wording import told
from admin.security import SHOPPER_COOKIE
from admin.storefront.pages import basket
from admin.storefront.pages.visit import CART_COUNT_COOKIE, Visit, page
from gateway import demo

DEMO_NAMES = ("Amy", "Ben", "Chloe", "David", "Emma")


async def show(visit: Visit) -> Response:
    """`GET /sign-in`."""
    return _form(visit, local(visit.request.query_params.get("next", "/")))


def _form(visit: Visit, following: str, problem: str | None = None) -> Response:
    names = DEMO_NAMES if _demo(visit) else ()
    return visit.show("sign-in.html", following=following, names=names, problem=problem)


async def sign_in(visit: Visit) -> Response:
    """`POST /sign-in`: with a token, or in a demo with a name."""
    following = local(visit.value("next", "/"))
    token, name = visit.value("token"), visit.value("name")
    if not token and name and _demo(visit):
        try:
            token, _subject, _ends = demo.make(visit.resources.settings, name)
        except ValueError:
            visit.status = 422
            problem = _("A name has 1 to %(most)s characters.") % {"most": demo.NAME_MAX}
            return _form(visit, following, problem)
    reply = visit.go(following)
    try:
        visit.shopper = visit.request.state.shopper = visit.sign_in(token, reply)
    except Unauthenticated as error:
        visit.status = 401
        return _form(visit, following, told(error))
    await basket.merge(visit)
    return basket.keep(visit, reply)


async def sign_out(visit: Visit) -> Response:
    """`POST /sign-out`."""
    reply = visit.go("/", _("You have signed out."))
    reply.delete_cookie(SHOPPER_COOKIE)
    reply.delete_cookie(CART_COUNT_COOKIE)
    return reply


def _demo(visit: Visit) -> bool:
    client = visit.request.client
    return demo.is_open(visit.resources.settings, client.host if client else "")


ROUTES = [
    page("GET", "/sign-in", show),
    page("POST", "/sign-in", sign_in),
    page("POST", "/sign-out", sign_out),
]

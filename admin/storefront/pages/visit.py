"""One shopper's request for a page: who they are, what they sent, what they see.

Every page works without scripts: forms are sent, and answered with the page to look at next.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from itsdangerous import BadSignature, URLSafeSerializer
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from admin import problems
from admin.errors import Malformed, NotFound, Unauthenticated
from admin.pages import asking, csrf, locales
from admin.pages.addresses import local
from admin.pages.wording import told
from admin.resources import Resources
from admin.security import SHOPPER_COOKIE, shopper_of
from admin.storefront.pages.frame import FOLDER, environment
from gateway.crypto import derive_key
from gateway.tokens import Shopper

GUEST_COOKIE = "seckill_guest"
"""A random name for a browser in which nobody has signed in; what proves its forms."""
CART_COUNT_COOKIE = "seckill_cart_count"
"""Units in the cart as this browser saw it last, so that no page has to ask for the cart to show them."""
NOTE_COOKIE = "seckill_note"
NOTE_MAX_AGE_S = 60
FIELDS_MAX = 500
"""Most fields of one form."""

Show = Callable[["Visit"], Awaitable[Response]]


@dataclass(slots=True)
class Visit:
    """A request of a browser. `form` holds what was sent, the proof taken out; a name may come more than once."""

    request: Request
    shopper: Shopper | None
    cookie: str
    form: list[tuple[str, str]]
    status: int = 200
    unread: int = 0
    """Notices that the shopper has not read."""

    @property
    def resources(self) -> Resources:
        """Stores, settings and the shop's own facts."""
        resources: Resources = self.request.state.resources
        return resources

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters of the path."""
        return self.request.path_params

    @property
    def cart_count(self) -> int:
        """Units in the cart, as far as this browser knows."""
        cookie = self.request.cookies.get(CART_COUNT_COOKIE, "")
        seen = int(cookie) if len(cookie) < 6 and cookie.isascii() and cookie.isdigit() else 0
        count: int = getattr(self.request.state, "cart_count", seen)
        return count

    def value(self, name: str, default: str = "") -> str:
        """A field of the form, without the spaces around it."""
        return next((value.strip() for key, value in self.form if key == name), default)

    def values(self, name: str) -> list[str]:
        """All values of a field that may come more than once."""
        return [value.strip() for key, value in self.form if key == name]

    async def ask(self, name: str, **given: Any) -> Any:
        """What an operation of the API answers to this shopper; raises as it does."""
        return await asking.ask(self.request, name, **given)

    def show(self, template: str, **context: Any) -> Response:
        """A page."""
        said, self.request.state.said = getattr(self.request.state, "said", {}), {}
        proof = csrf.proof(self.resources.settings.signing_secrets, self.cookie)
        text = (
            environment()
            .get_template(template)
            .render(
                **context,
                visit=self,
                request=self.request,
                here=_here(self.request),
                shopper=None if self.shopper is None else self.shopper.id.decode(),
                lang=locales.tag(),
                note=said.get("note"),
                trouble=said.get("trouble"),
                currency=self.resources.currency,
                zone=self.resources.zone,
                proof=proof,
                proof_field=Markup('<input type="hidden" name="{}" value="{}">').format(csrf.FIELD, proof),
            )
        )
        reply = HTMLResponse(text, self.status)
        if NOTE_COOKIE in self.request.cookies:
            reply.delete_cookie(NOTE_COOKIE)
        return reply

    def go(self, path: str, note: str | None = None, *, trouble: str | None = None) -> Response:
        """Send the browser to another page of ours, which says once what was done, or why something was not."""
        reply = RedirectResponse(path, 303)
        said = {name: text for name, text in (("note", note), ("trouble", trouble)) if text is not None}
        if said:
            signed = _signer(self.resources).dumps(said)
            reply.set_cookie(NOTE_COOKIE, signed, NOTE_MAX_AGE_S, httponly=True, samesite="lax", secure=self.secure)
        return reply

    @property
    def secure(self) -> bool:
        """Whether the browser came over TLS, so that cookies may ask for it."""
        return self.request.url.scheme == "https"

    def sign_in(self, token: str, reply: Response) -> Shopper:
        """Let the browser keep a shopper's token, in a cookie that no script can read.

        Raises:
            Unauthenticated: the token is not valid.
        """
        shopper = shopper_of(f"Bearer {token}", self.resources.tokens)
        lasts_s = max(0, shopper.expires_at_s - int(time.time()))
        reply.set_cookie(SHOPPER_COOKIE, token, lasts_s, httponly=True, samesite="lax", secure=self.secure)
        return shopper


def page(method: str, path: str, show: Show) -> Route:
    """A route to a page. Whatever goes wrong is shown as a page too."""

    async def dispatch(request: Request) -> Response:
        visit = _begin(request)
        try:
            visit.form = await _read_form(request, visit)
            if visit.shopper is not None:
                visit.unread = (await visit.ask("list_notices", query={"limit": "1"})).unread
            reply = await show(visit)
        except Unauthenticated:
            reply = RedirectResponse(f"/sign-in?next={quote(_here(request), safe='')}", 303)
        except Exception as error:
            reply = _failed(visit, error)
        if visit.shopper is None and SHOPPER_COOKIE in request.cookies and not _sets(reply, SHOPPER_COOKIE):
            reply.delete_cookie(SHOPPER_COOKIE)
        if GUEST_COOKIE not in request.cookies and visit.shopper is None:
            reply.set_cookie(GUEST_COOKIE, visit.cookie, httponly=True, samesite="lax", secure=visit.secure)
        return reply

    return Route(path, dispatch, methods=[method])


def _begin(request: Request) -> Visit:
    resources: Resources = request.state.resources
    cookie, shopper = request.cookies.get(SHOPPER_COOKIE, ""), None
    if cookie:
        try:
            shopper = shopper_of(f"Bearer {cookie}", resources.tokens)
        except Unauthenticated:
            # It has run out. The page is shown as to a guest.
            cookie = ""
    request.state.shopper = shopper
    signed = request.cookies.get(NOTE_COOKIE)
    if signed:
        try:
            request.state.said = _signer(resources).loads(signed)
        except BadSignature:
            request.state.said = {}
    return Visit(request, shopper, cookie or request.cookies.get(GUEST_COOKIE, "") or secrets.token_urlsafe(16), [])


async def _read_form(request: Request, visit: Visit) -> list[tuple[str, str]]:
    if request.method != "POST":
        return []
    body = await request.body()
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Malformed(f"this is no form that can be read: {error}") from error
    proof = next((value for name, value in fields if name == csrf.FIELD), "")
    csrf.check(visit.resources.settings.signing_secrets, visit.cookie, proof)
    return [(name, value) for name, value in fields if name != csrf.FIELD]


def _failed(visit: Visit, error: Exception) -> Response:
    described = problems.describe(error)
    visit.status = described.status_code
    title = locales.gettext("Not found") if isinstance(error, NotFound) else locales.gettext("That did not work")
    return visit.show("error.html", title=title, message=told(error))


def _here(request: Request) -> str:
    """The page that is looked at, to come back to; after a form was sent, the one that it was on."""
    if request.method != "GET":
        return _referer(request)
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _referer(request: Request) -> str:
    parts = urlsplit(request.headers.get("referer", ""))
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return local(path) if parts.netloc == request.url.netloc else "/"


def _sets(reply: Response, name: str) -> bool:
    return any(header.startswith(f"{name}=") for header in reply.headers.getlist("set-cookie"))


def _signer(resources: Resources) -> URLSafeSerializer:
    return URLSafeSerializer(derive_key(resources.settings.signing_secrets[0], "notes of pages"))


STATIC_ROUTE = Route("/static/{version}/{file}", FOLDER.part)

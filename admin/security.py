"""Who may ask: programs with a key, operators with a session, shoppers with a token or the cookie that holds it."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin import problems
from admin.errors import AdminError, Unauthenticated
from admin.operators import signing_in
from admin.pages import csrf
from admin.resources import Resources
from gateway.errors import TokenError
from gateway.tokens import Shopper, TokenVerifier

API = "/admin/api"
SHOPPER_COOKIE = "seckill_shopper"
"""Holds the shopper's token itself: it is good for as long as that is."""


def actor_of(authorization: str, keys: Sequence[bytes]) -> str | None:
    """The name under which a key's changes are recorded, or None when it is not one of `keys`.

    The name tells keys apart without giving them away.
    """
    scheme, _, given = authorization.partition(" ")
    candidate = given.strip().encode("latin-1", "replace")
    found = None
    for key in keys:
        # Every key is compared, so the time taken does not tell which one came close.
        if hmac.compare_digest(candidate, key):
            found = f"key-{hashlib.sha256(key).hexdigest()[:8]}"
    return found if scheme.lower() == "bearer" else None


def shopper_of(authorization: str, tokens: TokenVerifier) -> Shopper:
    """The shopper of an `Authorization` header.

    Raises:
        Unauthenticated: naming the rule that the token breaks.
    """
    try:
        return tokens.verify(authorization.encode("latin-1", "replace"), time.time())
    except TokenError as error:
        raise Unauthenticated(error.reason) from error


def shopper_asking(request: Request, resources: Resources) -> Shopper | None:
    """The shopper of a request: by its header, or by the cookie that a page exchanged the token for.

    Raises:
        Unauthenticated: the token is not valid.
        Forbidden: the cookie alone does not prove that the shopper meant to change something.
    """
    authorization = request.headers.get("authorization", "")
    if authorization:
        return shopper_of(authorization, resources.tokens)
    cookie = request.cookies.get(SHOPPER_COOKIE)
    if cookie is None:
        return None
    _prove(request, resources, cookie)
    return shopper_of(f"Bearer {cookie}", resources.tokens)


def _prove(request: HTTPConnection, resources: Resources, cookie: str) -> None:
    if request.scope["method"] not in csrf.SAFE_METHODS:
        csrf.check(resources.settings.signing_secrets, cookie, request.headers.get(csrf.HEADER, ""))


class Callers:
    """Lets only operators past to the API, except on its public paths: by a key, or by the session of a person.

    Who it is goes into the scope as `actor`, what they may do as `role`; a key may do everything.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[bytes], public: frozenset[str]) -> None:
        self._app = app
        self._keys = tuple(keys)
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        guarded = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{API}/")
        if guarded and scope["path"] not in self._public:
            try:
                scope["actor"], scope["role"] = await self._find(scope)
            except AdminError as error:
                await problems.respond(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _find(self, scope: Scope) -> tuple[str, str]:
        authorization = Headers(scope=scope).get("authorization", "")
        if authorization:
            actor = actor_of(authorization, self._keys)
            if actor is None:
                raise Unauthenticated("this key is not valid")
            return actor, "owner"
        connection = HTTPConnection(scope)
        token = connection.cookies.get(signing_in.COOKIE)
        if token is None:
            raise Unauthenticated("want Authorization: Bearer <key>")
        resources: Resources = connection.state.resources
        operator = await run_in_threadpool(signing_in.find, resources, token)
        if operator is None:
            raise Unauthenticated("the session is over: sign in again")
        _prove(connection, resources, token)
        return operator.name, operator.role


class NoStore:
    """Every reply that does not say otherwise may not be kept: it may be stale or private a moment later."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header to one reply."""

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, sender)

"""Who may ask: operators' programs with a bearer key, shoppers with their token."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin import problems
from admin.errors import Unauthenticated
from gateway.errors import TokenError
from gateway.tokens import Shopper, TokenVerifier

API = "/admin/api"


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


class BearerKeys:
    """Lets only holders of a key past, except on the public paths."""

    def __init__(self, app: ASGIApp, keys: Sequence[bytes], public: frozenset[str]) -> None:
        self._app = app
        self._keys = tuple(keys)
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        guarded = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{API}/")
        if guarded and scope["path"] not in self._public:
            authorization = Headers(scope=scope).get("authorization", "")
            actor = actor_of(authorization, self._keys)
            if actor is None:
                detail = "this key is not valid" if authorization else "want Authorization: Bearer <key>"
                await problems.respond(Unauthenticated(detail))(scope, receive, send)
                return
            scope["actor"] = actor
        await self._app(scope, receive, send)


class NoStore:
    """Every reply says that it may not be kept: it may be stale or private a moment later."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header to one reply."""

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"cache-control", b"no-store")]
            await send(message)

        await self._app(scope, receive, sender)

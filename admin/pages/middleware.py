"""What every page's request goes through: its language, a limit of its size, and the headers of its reply."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin import problems
from admin.errors import TooLarge
from admin.pages import locales, nonces
from gateway.addresses import ClientAddress
from gateway.settings import Settings

BACK_OFFICE = "/admin"
STATIC = "/admin/static/"
KEEP_LIBRARIES = b"public, max-age=604800"

_COMMON = "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
_API = f"default-src 'none'; {_COMMON}"


class Pages:
    """In front of everything: languages, limits and security headers of pages; of the API only the headers.

    The storefront's pages may send a shopper on to the gateway's sale page, and listen to its events. The back
    office is framed by starlette-admin, whose pages carry scripts inside: those that bear the request's nonce run.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._proxies = ClientAddress(settings.trusted_proxies)
        self._body_max_bytes = settings.admin_body_max_bytes
        parts = urlsplit(settings.gateway_url)
        gateway = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
        self._storefront = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
            f"connect-src 'self'{gateway}; form-action 'self'{gateway}; {_COMMON}"
        ).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith(("/api/", "/admin/api/")):
            await self._app(scope, receive, _with_headers(send, _API.encode(), path))
            return
        connection = HTTPConnection(scope)
        if connection.headers.get("x-forwarded-proto") == "https" and self._from_proxy(scope):
            # Links and cookies are made for the way the browser came, not for the last hop.
            scope["scheme"] = "https"
        locales.use(connection.cookies.get(locales.COOKIE), connection.headers.get("accept-language", ""))
        nonce = nonces.fresh()
        policy = self._storefront
        if f"{path}/".startswith(f"{BACK_OFFICE}/"):
            policy = (
                f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
                f"style-src-attr 'unsafe-inline'; img-src 'self' https: data:; font-src 'self'; "
                f"connect-src 'self'; form-action 'self'; {_COMMON}"
            ).encode()
        sender = _with_headers(send, policy, path)
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length) > self._body_max_bytes:
            await problems.respond(self._too_large())(scope, receive, sender)
            return
        await self._app(scope, self._limited(receive), sender)

    def _from_proxy(self, scope: Scope) -> bool:
        client = scope.get("client")
        return client is not None and self._proxies.trusts(client[0])

    def _limited(self, receive: Receive) -> Receive:
        read = 0

        async def receiver() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._body_max_bytes:
                    raise self._too_large()
            return message

        return receiver

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a form may have at most {self._body_max_bytes} bytes", max_bytes=self._body_max_bytes)


def _with_headers(send: Send, policy: bytes, path: str) -> Send:
    headers = [
        (b"content-security-policy", policy),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
    ]
    if path.startswith(STATIC):
        # The frame's own libraries have their version in the address; what is ours is asked for again.
        libraries = any(f"/{folder}/" in path for folder in ("vendor", "webfonts"))
        headers.append((b"cache-control", KEEP_LIBRARIES if libraries else b"no-cache"))

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *headers]}
        await send(message)

    return sender

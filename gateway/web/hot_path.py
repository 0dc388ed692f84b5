"""Clicks in front of routing, on both server interfaces: granian's RSGI in production, ASGI everywhere else.

RSGI costs less per click: no scope dictionary, no list of headers, one call for the reply. Everything that
is not a click goes to the same ASGI app on both.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.web import intake
from gateway.web.bodies import BodyTooLarge, ClientGone, asgi_chunks, read_body, rsgi_chunks
from gateway.web.bridge import to_asgi
from gateway.web.clicks import Clicks
from gateway.web.replies import Reply

PREFIX = "/seckill/"
PREFIX_CHARACTERS = len(PREFIX)


class AsgiFront:
    """The whole gateway as an ASGI app."""

    def __init__(self, clicks: Clicks, rest: ASGIApp, body_max_bytes: int) -> None:
        self._clicks = clicks
        self._rest = rest
        self._body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a click, or hand anything else on."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(PREFIX):
            await self._rest(scope, receive, send)
            return

        def header(name: str) -> list[str]:
            wanted = name.encode()
            return [value.decode("latin-1") for key, value in scope["headers"] if key == wanted]

        length = (header("content-length") or ["0"])[0]
        try:
            body = b""
            if length != "0" or header("transfer-encoding"):
                body = await read_body(asgi_chunks(receive), length, self._body_max_bytes)
        except ClientGone:
            reply = self._clicks.cut_off()
        except BodyTooLarge:
            reply = self._clicks.too_large()
        else:
            authorization = (header("authorization") or [""])[0].encode("latin-1")
            client = scope.get("client")
            peer = f"{client[0]}:{client[1]}" if client else ""
            offer_id = scope["path"][PREFIX_CHARACTERS:]
            query = scope["query_string"].decode("latin-1")
            reply = await self._clicks.answer(offer_id, query, authorization, body, peer, header)
        await _send(reply, send)


async def _send(reply: Reply, send: Send) -> None:
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


class RsgiFront:
    """The whole gateway as an RSGI app. `app` is the complete ASGI app, with its lifespan."""

    def __init__(self, clicks: Clicks, app: ASGIApp, lifespan: Any, body_max_bytes: int, *, cors: bool) -> None:
        self._clicks = clicks
        self._app = app
        self._lifespan = lifespan
        self._body_max_bytes = body_max_bytes
        self._cors = cors

    def __rsgi_init__(self, loop: Any) -> None:
        """Start up, before the first request."""
        loop.run_until_complete(self._lifespan.__aenter__())
        intake.install(loop, self.take)

    def __rsgi_del__(self, loop: Any) -> None:
        """Shut down, after the last reply."""
        loop.run_until_complete(self._lifespan.__aexit__(None, None, None))

    def take(self, scope: Any, proto: Any) -> bool:
        """Take a click that can be taken without waiting for anything; False when this is none."""
        path = scope.path
        if scope.method != "POST" or not path.startswith(PREFIX):
            return False
        headers = scope.headers
        length = headers.get("content-length")
        if length != "0" and (length is not None or "transfer-encoding" in headers):
            return False
        if self._cors and "origin" in headers:
            return False
        authorization = headers.get("authorization", "").encode()
        return self._clicks.take(
            proto, path[PREFIX_CHARACTERS:], scope.query_string, authorization, b"", scope.client, headers.get_all
        )

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer a click, or hand anything else on; a click from another origin too, for its headers."""
        path = scope.path
        headers = scope.headers
        if scope.method != "POST" or not path.startswith(PREFIX) or (self._cors and "origin" in headers):
            await to_asgi(self._app, scope, proto)
            return
        body = b""
        length = headers.get("content-length")
        if length != "0" and (length is not None or "transfer-encoding" in headers):
            try:
                body = await read_body(rsgi_chunks(proto), length or "0", self._body_max_bytes)
            except ClientGone:
                # Whoever ended only what they send still hears an answer.
                reply = self._clicks.cut_off()
                proto.response_bytes(reply.status, reply.headers, reply.body)
                return
            except BodyTooLarge:
                reply = self._clicks.too_large()
                proto.response_bytes(reply.status, reply.headers, reply.body)
                return
        authorization = headers.get("authorization", "").encode()
        reply = await self._clicks.answer(
            path[PREFIX_CHARACTERS:], scope.query_string, authorization, body, scope.client, headers.get_all
        )
        proto.response_bytes(reply.status, reply.headers, reply.body)

"""From granian's RSGI interface to an ASGI app, for everything that is not a click."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Scope

from gateway.web.pushing import PUSH


async def to_asgi(app: ASGIApp, scope: Any, proto: Any) -> None:
    """Let an ASGI app answer an RSGI request."""
    if scope.proto != "http":
        proto.close(403)
        return
    exchange = _Exchange(proto)
    asked = _scope(scope)
    asked["extensions"] = {PUSH: exchange.push}
    await app(asked, exchange.receive, exchange.send)


def _scope(scope: Any) -> Scope:
    host, _, port = scope.client.rpartition(":")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope.headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": scope.http_version,
        "server": (scope.server.rpartition(":")[0], None),
        "client": (host.strip("[]"), int(port)) if port.isdecimal() else None,
        "scheme": scope.scheme,
        "method": scope.method,
        "root_path": "",
        "path": scope.path,
        "raw_path": quote(scope.path).encode(),
        "query_string": scope.query_string.encode("latin-1", "replace"),
        "headers": headers,
        "state": {},
    }


class _Exchange:
    """One request's body and reply."""

    def __init__(self, proto: Any) -> None:
        self._proto = proto
        self._chunks = proto.__aiter__()
        self._body_read = False
        self._start: Message = {}
        self._stream: Any = None

    async def receive(self) -> Message:
        """The next piece of the body; after it, the client's going."""
        if not self._body_read:
            try:
                return {"type": "http.request", "body": await self._chunks.__anext__(), "more_body": True}
            except StopAsyncIteration:
                self._body_read = True
                return {"type": "http.request", "body": b"", "more_body": False}
        await self._proto.client_disconnect()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send the reply: at once when it comes in one piece, else as a stream.

        Raises:
            OSError: the client has gone.
        """
        if message["type"] == "http.response.start":
            self._start = message
            return
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if self._stream is None:
            status = self._start["status"]
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._start["headers"]]
            if not more:
                self._proto.response_bytes(status, headers, body)
                return
            self._stream = self._proto.response_stream(status, headers)
        if body:
            try:
                await self._stream.send_bytes(body)
            except (RuntimeError, asyncio.InvalidStateError) as error:
                raise OSError("the client has gone") from error

    def push(self, piece: bytes) -> bool:
        """Send a piece of a stream that has begun. Granian takes it at once, whether the client reads or not."""
        self._stream.send_bytes(piece)
        return True

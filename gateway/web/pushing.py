"""Sending pieces of an open reply without a task that waits: one loop can then serve thousands of streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.types import Scope, Send

Push = Callable[[bytes], bool]
"""Sends a piece at once; False when the piece before it is still on its way, and this one was dropped."""

PUSH = "seckill.push"
"""Our extension of the ASGI scope, from the bridge: a `Push` for a reply that has begun."""


@contextlib.asynccontextmanager
async def pusher(scope: Scope, send: Send, again: Callable[[], None]) -> AsyncIterator[Push]:
    """A way to push for a reply that has begun; after a piece was dropped, `again` is called when there is room."""
    push: Push | None = scope.get("extensions", {}).get(PUSH)
    if push is not None:
        yield push
        return
    asgi = _OverAsgi(send, again)
    try:
        yield asgi.push
    finally:
        asgi.stop()


class _OverAsgi:
    """Pushing where only waiting sends exist: one of them is under way at a time."""

    def __init__(self, send: Send, again: Callable[[], None]) -> None:
        self._send = send
        self._again = again
        self._sending: asyncio.Future[None] | None = None

    def push(self, piece: bytes) -> bool:
        if self._sending is not None:
            return False
        sent = self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self._sending = asyncio.ensure_future(sent)
        self._sending.add_done_callback(self._on_sent)
        return True

    def _on_sent(self, sending: asyncio.Future[None]) -> None:
        # A client that has gone is noticed by whoever receives from it.
        if not sending.cancelled() and sending.exception() is None:
            self._sending = None
            self._again()

    def stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()

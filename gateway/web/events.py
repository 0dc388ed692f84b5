"""Server-Sent Events: how an offer sells, for pages that are open.

One task per worker reads all watched offers together and wakes their watchers only when something changed, so
the cost grows with watched offers and changes, not with watchers times time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import orjson
from starlette.types import Receive, Scope, Send

from gateway.errors import RedisProblem
from gateway.streams import CLOSE_STREAMS, HEADERS, KEEP_ALIVE_S, STILL_HERE, wait_for_disconnect
from gateway.web.offers_view import OffersView

log = logging.getLogger(__name__)

POLL_S = 0.25

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [*HEADERS, (b"cache-control", b"no-store")],
}


class _Topic:
    """One watched offer: the latest event and a future that the next one completes."""

    def __init__(self) -> None:
        self.event = b""
        self.watchers = 0
        self.changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def publish(self, event: bytes) -> None:
        if event != self.event:
            self.event = event
            self.wake()

    def wake(self) -> None:
        changed, self.changed = self.changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)


class Events:
    """All event streams of one worker."""

    def __init__(self, view: OffersView, watchers_max: int) -> None:
        self._view = view
        self._watchers_max = watchers_max
        self._topics: dict[str, _Topic] = {}
        self._polling: asyncio.Task[None] | None = None
        self._closing = False
        self.watchers = 0

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return self._closing or self.watchers >= self._watchers_max

    @property
    def closing(self) -> bool:
        """Whether the worker is about to stop."""
        return self._closing

    async def start(self) -> None:
        """Begin to read watched offers, and to listen for `CLOSE_STREAMS`."""
        asyncio.get_running_loop().add_signal_handler(CLOSE_STREAMS, self.close_streams)
        self._polling = asyncio.create_task(self._poll(), name="event streams")

    async def stop(self) -> None:
        """End every stream."""
        self.close_streams()
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling

    def close_streams(self) -> None:
        """Let every open stream end, and open no more; browsers reconnect elsewhere by themselves."""
        self._closing = True
        for topic in self._topics.values():
            topic.wake()

    async def stream(self, offer_id: str, receive: Receive, send: Send) -> None:
        """Send the offer's events until the client goes or the worker stops."""
        topic = self._topics.get(offer_id)
        if topic is None:
            topic = self._topics[offer_id] = _Topic()
        topic.watchers += 1
        self.watchers += 1
        gone = asyncio.ensure_future(wait_for_disconnect(receive))
        sent = b""
        try:
            await send(_START)
            while not gone.done() and not self._closing:
                if topic.event != sent:
                    sent = topic.event
                    await send({"type": "http.response.body", "body": sent, "more_body": True})
                    continue
                await asyncio.wait({gone, topic.changed}, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
                if topic.event == sent and not gone.done() and not self._closing:
                    await send({"type": "http.response.body", "body": STILL_HERE, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except OSError:
            pass  # the client went while something was being sent
        finally:
            gone.cancel()
            topic.watchers -= 1
            self.watchers -= 1
            if not topic.watchers:
                self._topics.pop(offer_id, None)

    async def _poll(self) -> None:
        while True:
            for offer_id, topic in list(self._topics.items()):
                try:
                    offer = await self._view.offer(offer_id)
                except RedisProblem as problem:
                    log.debug("events of %s: %s", offer_id, problem)
                    continue
                if offer is not None:
                    status = self._view.status(offer)
                    data = {"left": offer.left, "sold": offer.held, "state": status["state"]}
                    topic.publish(b"data: " + orjson.dumps(data) + b"\n\n")
            await asyncio.sleep(POLL_S)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer when there are too many streams: the page falls back to asking."""
    del scope, receive
    headers = [(b"retry-after", b"5"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})

"""Server-Sent Events: how an offer sells, for pages that are open.

One task per worker reads all watched offers together, and an event is encoded once per offer and change. Watchers
to whom something is to be said stand in one queue, each at most once, and so many of them a second as
`SECKILL_EVENTS_PER_S` allows are sent what is the newest then. So neither watchers nor changes can take more than
a fixed part of a worker from its clicks: with many of both, each watcher hears less often, and never old news.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque

import orjson
from starlette.types import Receive, Scope, Send

from gateway.errors import RedisProblem
from gateway.event_streams import CLOSE_STREAMS, HEADERS, KEEP_ALIVE_S, STILL_HERE, wait_for_disconnect
from gateway.offers import Offer
from gateway.web.offers_view import OffersView
from gateway.web.pushing import Push, pusher

log = logging.getLogger(__name__)

POLL_S = 0.5
READS_PER_S = 2_000
"""Watched offers read per second and worker; more of them are each read less often."""
TICK_S = 0.02
"""Between two rounds of sending: short, so that no click waits for many events."""
STREAM_MAX_BYTES = 65_536
"""Length at which a stream ends, and the page opens another. A server may keep what a client does not read
without telling us: so this is also what one that never reads can cost."""

AGAIN = b"event: again\ndata: 1\n\n"
"""Says that a stream ends because it is long enough, and not because something is wrong."""

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [*HEADERS, (b"cache-control", b"no-store")],
}


class _Topic:
    """One watched offer: its latest event, and who watches it."""

    def __init__(self, event: bytes) -> None:
        self.event = event
        self.said_s = time.monotonic()
        self.watchers: dict[_Watcher, None] = {}


class _Watcher:
    """One open stream."""

    __slots__ = ("over", "push", "queued", "room_bytes", "sent", "topic")

    def __init__(self, topic: _Topic) -> None:
        self.topic = topic
        self.push: Push | None = None
        self.sent = topic.event
        self.queued = False
        self.room_bytes = STREAM_MAX_BYTES
        self.over = asyncio.get_running_loop().create_future()

    def end(self) -> None:
        """Let the stream end."""
        if not self.over.done():
            self.over.set_result(None)


class Events:
    """All event streams of one worker."""

    def __init__(self, view: OffersView, watchers_max: int, events_per_s: int) -> None:
        self._view = view
        self._watchers_max = watchers_max
        self._tick_s = max(TICK_S, 1 / events_per_s)
        self._per_tick = round(events_per_s * self._tick_s)
        self._topics: dict[str, _Topic] = {}
        self._queue: deque[_Watcher] = deque()
        self._ticking: asyncio.TimerHandle | None = None
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
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(CLOSE_STREAMS, self.close_streams)
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
            for watcher in topic.watchers:
                watcher.end()

    async def stream(self, offer: Offer, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the offer's events until the client goes, the stream is long enough or the worker stops."""
        topic = self._topics.get(offer.id)
        if topic is None:
            topic = self._topics[offer.id] = _Topic(self._event(offer))
        watcher = _Watcher(topic)
        topic.watchers[watcher] = None
        self.watchers += 1
        gone = asyncio.ensure_future(wait_for_disconnect(receive))
        gone.add_done_callback(lambda _: watcher.end())
        try:
            await send(_START)
            await send({"type": "http.response.body", "body": watcher.sent, "more_body": True})
            async with pusher(scope, send, lambda: self._catch_up(watcher)) as watcher.push:
                self._catch_up(watcher)
                await watcher.over
            await send({"type": "http.response.body", "body": AGAIN if watcher.room_bytes <= 0 else b""})
        except OSError:
            pass  # the client went while something was being sent
        finally:
            gone.cancel()
            watcher.end()
            self.watchers -= 1
            del topic.watchers[watcher]
            if not topic.watchers:
                del self._topics[offer.id]

    def _event(self, offer: Offer) -> bytes:
        state = self._view.state_now(offer)
        return b"data: " + orjson.dumps({"left": offer.left, "sold": offer.held, "state": state}) + b"\n\n"

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(max(POLL_S, len(self._topics) / READS_PER_S))
            try:
                offers = await self._view.read(list(self._topics))
            except RedisProblem as problem:
                log.debug("events: %s", problem)
                continue
            now_s = time.monotonic()
            for offer in offers:
                topic = self._topics.get(offer.id)
                if topic is None:
                    continue
                event = self._event(offer)
                if event != topic.event or now_s - topic.said_s >= KEEP_ALIVE_S:
                    topic.event, topic.said_s = event, now_s
                    for watcher in topic.watchers:
                        self._want(watcher)

    def _catch_up(self, watcher: _Watcher) -> None:
        """Queue a watcher that can be sent something again, if it missed something."""
        if watcher.sent != watcher.topic.event:
            self._want(watcher)

    def _want(self, watcher: _Watcher) -> None:
        """Say something to a watcher when it is its turn."""
        if not watcher.queued:
            watcher.queued = True
            self._queue.append(watcher)
            if self._ticking is None:
                self._ticking = self._loop.call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        queue = self._queue
        for _ in range(min(self._per_tick, len(queue))):
            watcher = queue.popleft()
            watcher.queued = False
            if watcher.push is None or watcher.over.done():
                continue
            if watcher.room_bytes <= 0:
                watcher.end()
                continue
            event = watcher.topic.event
            piece = event if event != watcher.sent else STILL_HERE
            if watcher.push(piece):
                watcher.sent = event
                watcher.room_bytes -= len(piece)
        self._ticking = self._loop.call_later(self._tick_s, self._tick) if queue else None


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer when there are too many streams: the page falls back to asking."""
    del scope, receive
    headers = [(b"retry-after", b"5"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})

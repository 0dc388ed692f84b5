"""Server-Sent Events of the sidecar: topics that one thread per process feeds, whoever watches them.

The cost grows with watched topics and their changes, not with watchers times time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from admin.rounds import Rounds
from gateway.event_streams import CLOSE_STREAMS, HEADERS, KEEP_ALIVE_S, MEDIA_TYPE, STILL_HERE, wait_for_disconnect

ASK_AGAIN_S = 5.0
"""So often it is asked whether somebody who watches still may."""
_START = {"type": "http.response.start", "status": 200, "headers": [*HEADERS]}

StillAllowed = Callable[[], Awaitable[bool]]


class Topic:
    """What is watched: its latest event, whether it is the last one, and a future that the next completes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.event = b""
        self.over = False
        self.watchers = 0
        self.changed: asyncio.Future[None] = loop.create_future()
        self._loop = loop

    def greeting(self) -> bytes:
        """What somebody is sent first."""
        return self.event

    def publish(self, json: bytes, *, over: bool = False) -> None:
        """Tell the watchers, if this is something new; in the loop's own thread."""
        event = framed(json)
        if event != self.event:
            self.event = event
            self.over = over
            self.wake()

    def wake(self) -> None:
        """Let the watchers look again; in the loop's own thread."""
        changed, self.changed = self.changed, self._loop.create_future()
        changed.set_result(None)

    def in_loop(self, step: Callable[[], None]) -> None:
        """Have a step done by the loop that the topic belongs to, from another thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and its streams with it
            self._loop.call_soon_threadsafe(step)


class Streaming(Rounds):
    """Event streams of one process about one kind of topic, and the rounds that feed them."""

    streams_max: int
    """Open streams of one process."""

    def __init__(self) -> None:
        super().__init__()
        self.topics: dict[str, Topic] = {}
        self.streams = 0
        self.closing = False

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return self.closing or self.streams >= self.streams_max

    def close_streams(self) -> None:
        """Let every open stream end, and open no more; browsers reconnect elsewhere by themselves."""
        self.closing = True
        for topic in self.topics.values():
            topic.wake()

    def stop(self) -> None:
        """End every stream, and stop reading."""
        self.closing = True
        for topic in list(self.topics.values()):
            topic.in_loop(topic.wake)
        super().stop()

    def topic(self, name: str) -> Topic:
        """The topic of a name, which is new if nobody watches it; in the event loop."""
        return self.topics.setdefault(name, Topic(asyncio.get_running_loop()))

    def left(self, name: str) -> None:
        """The last watcher of a topic has gone; in the event loop."""
        self.topics.pop(name, None)

    async def stream(self, name: str, receive: Receive, send: Send, still: StillAllowed | None) -> None:
        """Send a topic's events until it is over, the client goes or may not watch, or the process stops."""
        topic = self.topic(name)
        topic.watchers += 1
        self.streams += 1
        gone = asyncio.ensure_future(wait_for_disconnect(receive))
        sent, asked_s = b"", time.monotonic()
        try:
            await send(_START)
            while not gone.done() and not self.closing:
                if still is not None and time.monotonic() - asked_s > ASK_AGAIN_S:
                    asked_s = time.monotonic()
                    if not await still():
                        break
                if topic.event != sent:
                    event = topic.event if sent else topic.greeting()
                    sent = topic.event
                    await send({"type": "http.response.body", "body": event, "more_body": True})
                elif topic.over:
                    break
                elif not await _first(gone, topic.changed):
                    await send({"type": "http.response.body", "body": STILL_HERE, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except OSError:
            pass  # the client went while something was being sent
        finally:
            gone.cancel()
            topic.watchers -= 1
            self.streams -= 1
            if not topic.watchers:
                self.left(name)


class Stream(Response):
    """The reply that is a topic's stream. `still` says whether somebody who watches still may."""

    def __init__(self, streaming: Streaming, name: str, still: StillAllowed | None = None) -> None:
        super().__init__(media_type=MEDIA_TYPE)
        self._streaming = streaming
        self._name = name
        self._still = still

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they come."""
        await self._streaming.stream(self._name, receive, send, self._still)


def framed(json: bytes) -> bytes:
    """An event that holds some JSON."""
    return b"data: " + json + b"\n\n"


def listen(rounds: Iterable[Rounds]) -> None:
    """Close all streams on `CLOSE_STREAMS`; called in the event loop."""
    # Only the main thread of a process hears of signals.
    if threading.current_thread() is not threading.main_thread():
        return

    def close() -> None:
        for each in rounds:
            if isinstance(each, Streaming):
                each.close_streams()

    asyncio.get_running_loop().add_signal_handler(CLOSE_STREAMS, close)


async def _first(*futures: asyncio.Future[None]) -> bool:
    """Wait until one of some futures is done; False when none was in time."""
    done, _ = await asyncio.wait(futures, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)

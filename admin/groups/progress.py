"""Server-Sent Events: how groups fill, for pages that are open.

One thread per process reads all watched groups together and wakes their watchers only when something changed, so
the cost grows with watched groups and changes, not with watchers times time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from admin.groups import views
from admin.groups.models import Progress
from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders.database import reading
from gateway.streams import CLOSE_STREAMS, HEADERS, KEEP_ALIVE_S, MEDIA_TYPE, STILL_HERE, wait_for_disconnect

STREAMS_MAX = 500
"""Open streams of one process."""
TOGETHER = 500
"""Groups read at once."""
_START = {"type": "http.response.start", "status": 200, "headers": [*HEADERS]}


class _Topic:
    """One watched group: its latest event, whether it is the last one, and a future that the next completes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.event = b""
        self.over = False
        self.watchers = 0
        self.changed: asyncio.Future[None] = loop.create_future()

    def publish(self, progress: Progress) -> None:
        """Tell the watchers of a change; in the loop's own thread."""
        event = b"data: " + progress.model_dump_json().encode() + b"\n\n"
        if event != self.event:
            self.event = event
            self.over = progress.state != "open"
            self.wake()

    def wake(self) -> None:
        changed, self.changed = self.changed, self.loop.create_future()
        changed.set_result(None)


class Watching(Rounds):
    """All event streams of one process, and the rounds that feed them."""

    name = "watching of groups"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._topics: dict[str, _Topic] = {}
        self._closing = False
        self.streams = 0

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return self._closing or self.streams >= STREAMS_MAX

    def start(self) -> None:
        """Begin to read watched groups, and to listen for `CLOSE_STREAMS`; called in the event loop."""
        # Only the main thread of a process hears of signals.
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(CLOSE_STREAMS, self.close_streams)
        super().start()

    def close_streams(self) -> None:
        """Let every open stream end, and open no more; browsers reconnect elsewhere by themselves."""
        self._closing = True
        for topic in self._topics.values():
            topic.wake()

    def stop(self) -> None:
        """End every stream, and stop reading."""
        self._closing = True
        for topic in list(self._topics.values()):
            _in_loop(topic, topic.wake)
        super().stop()

    def round(self) -> None:
        """Read all watched groups.

        Raises:
            SQLAlchemyError: the database is away; watchers hear of it when it is back.
        """
        watched = list(self._topics.items())
        for start in range(0, len(watched), TOGETHER):
            self._read(watched[start : start + TOGETHER])

    def _read(self, watched: Sequence[tuple[str, _Topic]]) -> None:
        with reading(self._resources.engine) as connection:
            found = views.progress(connection, [group for group, _ in watched])
        for group, topic in watched:
            if group in found:
                _in_loop(topic, partial(topic.publish, found[group]))

    async def stream(self, group: str, receive: Receive, send: Send) -> None:
        """Send a group's events until it is over, the client goes or the process stops."""
        topic = self._topics.get(group)
        if topic is None:
            topic = self._topics[group] = _Topic(asyncio.get_running_loop())
        topic.watchers += 1
        self.streams += 1
        gone = asyncio.ensure_future(wait_for_disconnect(receive))
        sent = b""
        try:
            await send(_START)
            while not gone.done() and not self._closing:
                if topic.event != sent:
                    sent = topic.event
                    await send({"type": "http.response.body", "body": sent, "more_body": True})
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
                self._topics.pop(group, None)


class Stream(Response):
    """The reply that is a group's stream."""

    def __init__(self, watching: Watching, group: str) -> None:
        super().__init__(media_type=MEDIA_TYPE)
        self._watching = watching
        self._group = group

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they come."""
        await self._watching.stream(self._group, receive, send)


def _in_loop(topic: _Topic, step: Callable[[], None]) -> None:
    """Have a step done by the loop that a topic belongs to, from another thread."""
    with contextlib.suppress(RuntimeError):  # the loop has ended, and its streams with it
        topic.loop.call_soon_threadsafe(step)


async def _first(*futures: asyncio.Future[None]) -> bool:
    """Wait until one of some futures is done; False when none was in time."""
    done, _ = await asyncio.wait(futures, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)

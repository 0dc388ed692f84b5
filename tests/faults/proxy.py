"""A way between two processes on which everything can go wrong, at a moment that is known exactly.

A `Way` passes bytes between its clients and one server. On a way to Redis it knows commands and replies, so a
`Trap` can stop one of them: before the server sees it, before the client sees the reply, or right after.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.faults.resp import ScriptNames, frame_end, is_push

CHUNK = 65536
CONNECT_TIMEOUT_S = 2.0
_RESET = struct.pack("ii", 1, 0)


class Trap:
    """Waits for one command. `place`: `request` (not forwarded), `reply` (held back) or `sent` (just forwarded).

    What it has caught stays where it is until `release`.
    """

    def __init__(self, place: str, command: str, loop: asyncio.AbstractEventLoop) -> None:
        self.place = place
        self.command = command
        self.lose = False
        self._caught = threading.Event()
        self._released = asyncio.Event()
        self._loop = loop

    def wait(self, within_s: float) -> bool:
        """Whether it caught something in time."""
        return self._caught.wait(within_s)

    def release(self, *, lose: bool = False) -> None:
        """Let go of what was caught, or throw it away together with its connection."""
        self.lose = lose
        self._loop.call_soon_threadsafe(self._released.set)

    def wants(self, place: str, command: str) -> bool:
        return not self._caught.is_set() and place == self.place and command == self.command

    async def hold(self) -> None:
        self._caught.set()
        if self.place != "sent":
            await self._released.wait()


@dataclass
class Weather:
    """What a way does to everything that passes. The defaults do nothing."""

    delay_s: float = 0.0
    slice_bytes: int = 0
    bytes_per_s: int = 0
    swallow: frozenset[str] = frozenset()
    refuse: bool = False
    frozen: bool = False


@dataclass(eq=False)
class _Link:
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    waiting: deque[str] = field(default_factory=deque)

    def close(self, *, reset: bool) -> None:
        for writer in (self.near, self.far):
            if reset:
                with contextlib.suppress(OSError, AttributeError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()


class Way:
    """One proxy. All methods may be called from any thread; `ways` runs it."""

    def __init__(self, ways: Ways, name: str, target: tuple[str, int], *, redis: bool) -> None:
        self.name = name
        self.target = target
        self.port = 0
        self.weather = Weather()
        self.passed: Counter[str] = Counter()
        self._ways = ways
        self._redis = redis
        self._links: set[_Link] = set()
        self._traps: list[Trap] = []
        self._random = random.Random(name)
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Stop listening and end every connection; in the thread of the ways."""
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.close(reset=False)

    def trap(self, place: str, command: str) -> Trap:
        """Catch the next such command; `command` is a script's name or a command in capitals."""
        found = Trap(place, command, self._ways.loop)
        self._ways.call(lambda: self._traps.append(found))
        return found

    def forget(self, trap: Trap) -> None:
        """Take a trap away; what it holds goes on."""
        trap.release(lose=trap.lose)
        self._ways.call(lambda: self._traps.remove(trap) if trap in self._traps else None)

    def cut(self, *, reset: bool = False) -> None:
        """End every connection: in order, or by reset."""
        self._ways.call(lambda: [link.close(reset=reset) for link in list(self._links)])

    def set_weather(self, **given: Any) -> None:
        """Change what happens to everything from now on; without arguments, good weather."""
        self._ways.call(lambda: setattr(self, "weather", Weather(**given)))

    async def _serve(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self.weather.refuse:
            near.transport.abort()
            return
        try:
            far_in, far = await asyncio.wait_for(asyncio.open_connection(*self.target), CONNECT_TIMEOUT_S)
        except (OSError, TimeoutError):
            near.transport.abort()
            return
        link = _Link(near, far)
        self._links.add(link)
        pumps = [
            asyncio.ensure_future(self._pump(link, near_in, far, "up")),
            asyncio.ensure_future(self._pump(link, far_in, near, "down")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            return  # the ways are closed; streams complain about a task that ends by a cancellation
        finally:
            link.close(reset=False)
            self._links.discard(link)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, link: _Link, source: asyncio.StreamReader, target: asyncio.StreamWriter, direction: str
    ) -> None:
        buffer = bytearray()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await source.read(CHUNK):
                if not self._redis:
                    await self._raw(link, target, data, direction)
                    continue
                buffer += data
                while (end := frame_end(buffer)) is not None:
                    frame = bytes(buffer[:end])
                    del buffer[:end]
                    await (self._request if direction == "up" else self._reply)(link, target, frame)

    async def _raw(self, link: _Link, target: asyncio.StreamWriter, data: bytes, direction: str) -> None:
        """A database's way: only the end of a transaction is known."""
        if direction == "up":
            command = "COMMIT" if b"COMMIT" in data else ""
            link.waiting.clear()
            link.waiting.append(command)
            await self._meet(link, "request", command)
            await self._deliver(target, data, direction)
            return
        command = link.waiting[0] if link.waiting else ""
        await self._meet(link, "reply", command)
        await self._deliver(target, data, direction)
        await self._meet(link, "sent", command)

    async def _request(self, link: _Link, far: asyncio.StreamWriter, frame: bytes) -> None:
        command = self._ways.names.name_of(frame)
        await self._meet(link, "request", command)
        link.waiting.append(command)
        self.passed[command] += 1
        await self._deliver(far, frame, "up")

    async def _reply(self, link: _Link, near: asyncio.StreamWriter, frame: bytes) -> None:
        command = "" if is_push(frame) or not link.waiting else link.waiting.popleft()
        await self._meet(link, "reply", command)
        await self._deliver(near, frame, "down")
        await self._meet(link, "sent", command)

    async def _meet(self, link: _Link, place: str, command: str) -> None:
        for trap in self._traps:
            if command and trap.wants(place, command):
                await trap.hold()
                if trap.lose:
                    link.close(reset=False)
                    raise ConnectionAbortedError("thrown away")

    async def _deliver(self, target: asyncio.StreamWriter, data: bytes, direction: str) -> None:
        if self.weather.delay_s:
            await asyncio.sleep(self.weather.delay_s)
        while self.weather.frozen and direction == "down":  # noqa: ASYNC110 - weather is no event
            await asyncio.sleep(0.002)
        weather = self.weather
        if direction in weather.swallow:
            return
        if not weather.slice_bytes and not weather.bytes_per_s:
            target.write(data)
        else:
            await self._in_pieces(target, data, weather)
        await target.drain()

    async def _in_pieces(self, target: asyncio.StreamWriter, data: bytes, weather: Weather) -> None:
        """Slowly, or cut into pieces of 1 to `slice_bytes` bytes, each in a packet of its own."""
        at = 0
        while at < len(data):
            size = self._random.randint(1, weather.slice_bytes) if weather.slice_bytes else 256
            piece = data[at : at + size]
            at += size
            target.write(piece)
            await target.drain()
            await asyncio.sleep(len(piece) / weather.bytes_per_s if weather.bytes_per_s else 0)


class Ways:
    """A thread that runs any number of ways."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.names = ScriptNames()
        self._open: list[Way] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name="ways", daemon=True)
        self._thread.start()

    def open(self, name: str, target: tuple[str, int], *, redis: bool) -> Way:
        """A new way to `target`; its `port` listens on loopback."""
        way = Way(self, name, target, redis=redis)
        self.run(way.open())
        self._open.append(way)
        return way

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function in the thread of the ways and wait for its result."""

        async def called() -> Any:
            return function()

        return self.run(called())

    def close(self) -> None:
        async def end() -> None:
            for way in self._open:
                way.shut()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

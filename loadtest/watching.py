"""Pages that watch offers: event streams by the thousand, and when each of them heard of every change of stock.

``python -m loadtest.watching HOST PORT`` reads lines ``OFFER COUNT`` up to an empty one, opens so many streams,
prints ``ready`` when all have heard their first event, and holds on. The rest of its standard input is JSON (offer,
stock, when it was asked for in monotonic s); at its end it prints JSON: see `Heard`.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import cast

import orjson
import uvloop

from loadtest.own_generator import percentile

EVENT = re.compile(rb'\{"left":(\d+),"sold":(\d+),')
AT_ONCE = 100
"""Streams opened together: the server's queue of new connections has a bound."""
AGAIN_AFTER_S = 1.0


@dataclass(slots=True)
class Heard:
    """What all watchers heard. `late_ms`: offer → how late each of its watchers heard of each stock, in order."""

    open: int = 0
    refused: int = 0
    ended: int = 0
    events: int = 0
    cpu_s: float = 0.0
    late_ms: dict[str, Lateness] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late news of one offer was, ms; `samples` is watchers times changes."""

    p50: int
    p99: int
    samples: int


class Watcher(asyncio.Protocol):
    """One stream; opened again when it ends."""

    def __init__(self, crowd: Crowd, offer: str) -> None:
        self._crowd = crowd
        self._offer = offer
        self._stock: int | None = None
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        # uvloop's transports do not descend from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        request = f"GET /seckill/{self._offer}/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self._transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        """Note new stock. An event that is cut in two is missed; the next one says the same and more."""
        heard = self._crowd.heard
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200"):
            heard.refused += 1
            self._transport.close()
            return
        events = EVENT.findall(data)
        if not events:
            return
        stock = int(events[-1][0]) + int(events[-1][1])
        if self._stock is None:
            self._stock = stock
            heard.open += 1
            self._crowd.changed.set()
            return
        heard.events += len(events)
        if stock > self._stock:
            now_s = time.monotonic()
            for each in range(self._stock + 1, stock + 1):
                self._crowd.arrivals[self._offer, each].append(now_s)
            self._stock = stock

    def connection_lost(self, exc: Exception | None) -> None:
        """Open another stream, as a page does."""
        heard = self._crowd.heard
        if self._stock is not None:
            heard.open -= 1
            heard.ended += 1
        self._stock = None
        self._crowd.open_later(self)


class Crowd:
    """All watchers of one run."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._opening: set[asyncio.Task[None]] = set()
        self.heard = Heard()
        self.arrivals: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        self.changed = asyncio.Event()
        self.over = False

    def open_later(self, watcher: Watcher) -> None:
        """Connect a watcher again after a moment."""
        if not self.over:
            task = asyncio.get_running_loop().create_task(self._open_again(watcher))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open_again(self, watcher: Watcher) -> None:
        await asyncio.sleep(AGAIN_AFTER_S)
        await asyncio.get_running_loop().create_connection(lambda: watcher, *self._address)

    def lateness(self, asked_s: dict[str, dict[str, float]]) -> dict[str, Lateness]:
        """How late watchers heard of stocks that were asked for at these times, by offer."""
        found = {}
        for offer, instants in asked_s.items():
            late = sorted(
                round(1000 * (heard_s - asked))
                for stock, asked in instants.items()
                for heard_s in self.arrivals[offer, int(stock)]
            )
            found[offer] = Lateness(percentile(late, 0.5), percentile(late, 0.99), len(late))
        return found

    async def gather(self, watched: list[str]) -> None:
        """Open a stream on each of these offers, and wait until every one has heard of its offer."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(watched), AT_ONCE):
            some = watched[start : start + AT_ONCE]
            await asyncio.gather(
                *(loop.create_connection(partial(Watcher, self, offer), *self._address) for offer in some)
            )
            while self.heard.open + self.heard.refused < start + len(some):
                self.changed.clear()
                await self.changed.wait()


def raise_file_limit() -> None:
    """Allow this process, and those it starts, as many open files as the system lets it have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def run(host: str, port: int, watched: list[str]) -> str:
    """Watch until standard input ends; the JSON object."""
    crowd = Crowd(host, port)
    await crowd.gather(watched)
    before = resource.getrusage(resource.RUSAGE_SELF)
    print("ready", flush=True)
    asked = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    crowd.over = True
    used = resource.getrusage(resource.RUSAGE_SELF)
    crowd.heard.cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    crowd.heard.late_ms = crowd.lateness(orjson.loads(asked or "{}"))
    return orjson.dumps(asdict(crowd.heard)).decode()


def main(argv: list[str]) -> None:
    """Run from the command line."""
    host, port = argv
    raise_file_limit()
    watched: list[str] = []
    while line := sys.stdin.readline().split():
        watched += [line[0]] * int(line[1])
    print(uvloop.run(run(host, int(port), watched)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

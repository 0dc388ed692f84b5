"""Clicks at a given rate, whatever the answers: shoppers do not wait for each other.

``python -m loadtest.open_loop`` reads one JSON object (`Order`) from standard input, clicks, and prints one JSON
object: for each second, and in all, the replies by outcome with their latencies. A latency counts from the instant
at which the click was due, so a slow server is not asked less and nothing is left out. A click that finds no free
connection opens another one, up to `connections_max`; beyond that it waits in the generator, and its wait counts.
"""

from __future__ import annotations

import asyncio
import mmap
import subprocess
import sys
import time
from collections import defaultdict, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
import uvloop

from loadtest.errors import GeneratorError
from loadtest.own_generator import percentile
from loadtest.processes import ROOT, pinned

TICK_S = 0.001
GRACE_S = 10.0
"""How long after the last click its reply is waited for."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to send. The file holds prepared requests, each `size` bytes long, sent in turn."""

    host: str
    port: int
    file: str
    size: int
    rate_per_s: float
    duration_s: float
    connections_max: int
    connections_first: int = 0
    """Opened before the first click, so that no click waits for its connection to be made."""


@dataclass(slots=True)
class Tally:
    """Latencies in µs by second of the run (when the click was due) and outcome.

    `late_s` is the most by which this program itself was behind: then it, and not the server, was measured.
    """

    seconds: defaultdict[int, defaultdict[str, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    sent: int = 0
    answered: int = 0
    failed: int = 0
    opened: int = 0
    late_s: float = 0.0


class Clicks:
    """All connections of one run."""

    def __init__(self, order: Order, tally: Tally) -> None:
        self.order = order
        self.tally = tally
        self.idle: deque[_Connection] = deque()
        self.waiting: deque[float] = deque()
        self.began_s = 0.0
        with Path(order.file).open("rb") as file:
            self._requests = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._next = 0

    def request(self) -> bytes:
        """The next prepared request, from the first again after the last."""
        start = self._next
        self._next = (start + self.order.size) % len(self._requests)
        return self._requests[start : start + self.order.size]

    def due(self, due_s: float) -> None:
        """Send a click that is due, or let it wait for a connection."""
        self.tally.sent += 1
        if self.idle:
            self.idle.pop().send(due_s)
            return
        self.waiting.append(due_s)
        if self.tally.opened < self.order.connections_max:
            self.open()

    def open(self) -> None:
        """Open one more connection."""
        self.tally.opened += 1
        loop = asyncio.get_running_loop()
        opening = loop.create_task(
            loop.create_connection(lambda: _Connection(self), self.order.host, self.order.port)
        )
        opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[object]) -> None:
        if opening.exception() is not None:
            self.tally.failed += 1
            self.tally.opened -= 1

    def free(self, connection: _Connection) -> None:
        """Take a connection back, for the click that has waited longest."""
        if self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.idle.append(connection)


class _Connection(asyncio.Protocol):
    def __init__(self, clicks: Clicks) -> None:
        self._clicks = clicks
        self._due_s: float | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not descend from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._clicks.free(self)

    def send(self, due_s: float) -> None:
        self._due_s = due_s
        self._transport.write(self._clicks.request())

    def data_received(self, data: bytes) -> None:
        # A click's reply is one JSON object, and nothing follows it on the connection.
        self._buffer += data
        if not self._buffer.endswith(b"}") or self._due_s is None:
            return
        start = self._buffer.index(b'"outcome":"') + 11
        word = self._buffer[start : self._buffer.index(b'"', start)].decode()
        self._buffer = b""
        clicks, due_s = self._clicks, self._due_s
        clicks.tally.answered += 1
        latency_us = round((time.monotonic() - due_s) * 1e6)
        clicks.tally.seconds[int(due_s - clicks.began_s)][word].append(latency_us)
        self._due_s = None
        clicks.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        clicks = self._clicks
        clicks.tally.opened -= 1
        if self._due_s is not None:
            clicks.tally.failed += 1
        elif self in clicks.idle:
            clicks.idle.remove(self)


async def run(order: Order) -> Tally:
    """Click for a time, then wait for what is still open."""
    tally = Tally()
    clicks = Clicks(order, tally)
    for _ in range(order.connections_first):
        clicks.open()
    while len(clicks.idle) < order.connections_first and not tally.failed:  # noqa: ASYNC110 - once per run
        await asyncio.sleep(TICK_S)
    clicks.began_s = time.monotonic()
    total, gap_s = round(order.rate_per_s * order.duration_s), 1 / order.rate_per_s
    for number in range(total):
        due_s = clicks.began_s + number * gap_s
        ahead_s = due_s - time.monotonic()
        tally.late_s = max(tally.late_s, -ahead_s)
        if ahead_s > 0:
            # Several clicks a tick: a timer for each would cost more than the click.
            await asyncio.sleep(max(ahead_s, TICK_S))
        elif number % 64 == 0:
            await asyncio.sleep(0)
        clicks.due(due_s)
    end_s = time.monotonic() + GRACE_S
    while tally.answered + tally.failed < tally.sent and time.monotonic() < end_s:  # noqa: ASYNC110 - an event would have to be set for every one
        await asyncio.sleep(TICK_S)
    return tally


def summary(latencies_us: list[int]) -> dict[str, int]:
    """Count and percentiles."""
    ordered = sorted(latencies_us)
    shares = {"p50_us": 0.5, "p99_us": 0.99, "p999_us": 0.999, "max_us": 1.0}
    return {"count": len(ordered)} | {name: percentile(ordered, share) for name, share in shares.items()}


def figures(tally: Tally) -> dict[str, object]:
    """The JSON object of a run."""
    whole: defaultdict[str, list[int]] = defaultdict(list)
    seconds = []
    for second in sorted(tally.seconds):
        for word, latencies in tally.seconds[second].items():
            whole[word] += latencies
        by_word = {word: summary(latencies) for word, latencies in tally.seconds[second].items()}
        seconds.append({"second": second, "outcomes": by_word})
    return {
        "sent": tally.sent,
        "answered": tally.answered,
        "failed": tally.failed,
        "connections": tally.opened,
        "late_s": tally.late_s,
        "generator_cpu_s": time.process_time(),
        "all": summary([each for latencies in whole.values() for each in latencies]),
        "outcomes": {word: summary(latencies) for word, latencies in whole.items()},
        "seconds": seconds,
    }


def click(order: Order, *, core: int | None) -> dict[str, Any]:
    """Run this program on a core; its JSON object.

    Raises:
        GeneratorError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.open_loop"],
        cwd=ROOT,
        input=orjson.dumps(asdict(order)),
        capture_output=True,
        check=False,
        preexec_fn=pinned(core),
    )
    if done.returncode != 0:
        raise GeneratorError(f"open_loop ended with {done.returncode}:\n{done.stderr.decode()}")
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def main() -> None:
    """Run from the command line."""
    tally = uvloop.run(run(Order(**orjson.loads(sys.stdin.buffer.read()))))
    print(orjson.dumps(figures(tally)).decode(), flush=True)


if __name__ == "__main__":
    main()

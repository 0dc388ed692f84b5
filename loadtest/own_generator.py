"""A click generator for machines without wrk: the same prepared requests, the same figures, less speed.

``python -m loadtest.own_generator HOST PORT CONNECTIONS SECONDS FILE BYTES STOP`` sends the requests of FILE, each
exactly BYTES long, over keep-alive connections, and prints one JSON line like ``clicks.lua``.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import orjson
import uvloop


@dataclass(slots=True)
class Tally:
    """What one run has seen so far. Latencies are µs; `over` ends the run."""

    connections: int
    over: asyncio.Event
    latencies_us: list[int] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    rounds: int = 0


class Clicker(asyncio.Protocol):
    """One connection: sends a request, waits for its reply, sends the next."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._buffer = b""
        self._sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transports do not descend from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent_s = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """Count a reply once it is complete."""
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank or len(body) < _content_length(head):
            return
        self._buffer = b""
        self._tally.latencies_us.append(round((time.perf_counter() - self._sent_s) * 1e6))
        self._tally.refused += head[9:10] > b"3"
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that closes a connection in the middle of a run has failed."""
        self._tally.failed += 1
        if self._tally.failed == self._tally.connections:
            self._tally.over.set()


def _content_length(head: bytes) -> int:
    name = b"content-length:"
    start = head.lower().index(name) + len(name)
    return int(head[start:].partition(b"\r\n")[0])


def percentile(ordered: list[int], share: float) -> int:
    """The value below or at which `share` (0..1] of an ordered list lies; 0 for an empty one."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0


async def run(
    host: str, port: int, connections: int, duration_s: float, requests: bytes, size: int, stop: bool
) -> str:
    """Click for a time, or once through all requests; the JSON line."""
    tally = Tally(connections, asyncio.Event())

    def endless() -> Iterator[bytes]:
        while True:
            tally.rounds += 1
            if stop and tally.rounds == 2:
                tally.over.set()
            for start in range(0, len(requests), size):
                yield requests[start : start + size]

    shared = endless()
    loop = asyncio.get_running_loop()
    begun_s = time.perf_counter()
    made = [loop.create_connection(lambda: Clicker(shared, tally), host, port) for _ in range(connections)]
    await asyncio.gather(*made)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(tally.over.wait(), None if stop else duration_s)
    took_us = round((time.perf_counter() - begun_s) * 1e6)
    ordered = sorted(tally.latencies_us)
    figures = {"replies": len(ordered), "duration_us": took_us, "refused": tally.refused, "failed": tally.failed}
    shares = {"p50_us": 0.5, "p99_us": 0.99, "p999_us": 0.999}
    figures |= {name: percentile(ordered, share) for name, share in shares.items()}
    return orjson.dumps(figures | {"rounds": tally.rounds}).decode()


def main(argv: list[str]) -> None:
    """Run from the command line."""
    host, port, connections, seconds, path, size, stop = argv
    body = Path(path).read_bytes()
    line = uvloop.run(run(host, int(port), int(connections), float(seconds), body, int(size), stop == "1"))
    print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

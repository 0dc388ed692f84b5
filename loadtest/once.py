"""Prepared requests, each sent once and its reply awaited, over some connections at the same time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

WITHIN_S = 120.0
"""For any one reply."""


@dataclass(frozen=True, slots=True)
class Replies:
    """What came back: how often each status, and how long each request took, in ascending order, µs."""

    statuses: Counter[int]
    latencies_us: list[int]
    duration_s: float

    def percentile_us(self, share: float) -> int:
        """The latency that this share of all requests did not exceed."""
        return self.latencies_us[min(len(self.latencies_us) - 1, int(len(self.latencies_us) * share))]


def send(url: str, requests: Sequence[bytes], connections: int) -> Replies:
    """Send every request once; the connections are all open before the first is sent.

    Raises:
        OSError, TimeoutError: the server does not answer.
    """
    return asyncio.run(_send(url, requests, connections))


async def _send(url: str, requests: Sequence[bytes], connections: int) -> Replies:
    target = urlsplit(url)
    opened = [await asyncio.open_connection(target.hostname, target.port) for _ in range(connections)]
    statuses: Counter[int] = Counter()
    latencies: list[int] = []
    left = iter(requests)

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: Iterator[bytes]) -> None:
        for request in rest:
            begin = time.perf_counter()
            writer.write(request)
            status = await asyncio.wait_for(_read(reader), WITHIN_S)
            latencies.append(round((time.perf_counter() - begin) * 1e6))
            statuses[status] += 1

    begin = time.perf_counter()
    await asyncio.gather(*(work(reader, writer, left) for reader, writer in opened))
    duration_s = time.perf_counter() - begin
    for _, writer in opened:
        writer.close()
        await writer.wait_closed()
    return Replies(statuses, sorted(latencies), duration_s)


async def _read(reader: asyncio.StreamReader) -> int:
    """Read one reply whole; its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    name = b"content-length:"
    start = head.index(name) + len(name)
    await reader.readexactly(int(head[start:].partition(b"\r\n")[0]))
    return int(head.split(b" ", 2)[1])

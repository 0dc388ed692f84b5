"""Clients that cost a server without buying: idle connections, and requests that come a byte at a time.

``python -m loadtest.loiterers HOST PORT IDLE SLOW`` opens them, prints ``ready`` when all are there, and holds on
until its standard input ends. Then it prints one JSON object: how many of each the server still kept, and how
many slow requests were answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import orjson
import uvloop

BYTE_EVERY_S = 0.5
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Loiterers:
    """All of them. Counts are connections, and replies to slow requests."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self.kept = {"idle": 0, "slow": 0}
        self.answered = 0

    async def idle(self) -> None:
        """Connect and say nothing."""
        reader, _ = await asyncio.open_connection(*self._address)
        self.kept["idle"] += 1
        with contextlib.suppress(OSError):
            await reader.read(1)
        self.kept["idle"] -= 1

    async def slow(self) -> None:
        """Send request after request, a byte at a time."""
        reader, writer = await asyncio.open_connection(*self._address)
        self.kept["slow"] += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                for byte in REQUEST:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(BYTE_EVERY_S)
                await reader.readuntil(b"}")
                self.answered += 1
        self.kept["slow"] -= 1


async def run(host: str, port: int, idle: int, slow: int) -> str:
    """Loiter until standard input ends; the JSON object."""
    all_of_them = Loiterers(host, port)
    kinds = [all_of_them.idle] * idle + [all_of_them.slow] * slow
    tasks = []
    for number, kind in enumerate(kinds):
        tasks.append(asyncio.create_task(kind()))
        if number % 100 == 99:
            await asyncio.sleep(0.02)  # the server's queue of new connections has a bound
    while sum(all_of_them.kept.values()) < idle + slow and not any(task.done() for task in tasks):  # noqa: ASYNC110 - an event would have to be set for every one
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    kept = dict(all_of_them.kept)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return orjson.dumps(kept | {"answered": all_of_them.answered}).decode()


def main(argv: list[str]) -> None:
    """Run from the command line."""
    host, port, idle, slow = argv
    print(uvloop.run(run(host, int(port), int(idle), int(slow))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""A hand-made server in Redis' place, for what no real one would say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from tests.conftest import free_port

Answer = Callable[[list[bytes], asyncio.StreamWriter], Awaitable[None]]


class FakeRedis:
    """A hand-made server. `answer` gets each command that is not part of the greeting."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._writers: list[asyncio.StreamWriter] = []
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.connections = 0

    async def __aenter__(self) -> FakeRedis:
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            while True:
                count = int((await reader.readuntil(b"\r\n"))[1:])
                parts = []
                for _ in range(count):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    parts.append((await reader.readexactly(size + 2))[:-2])
                if parts[0] == b"CLIENT":
                    writer.write(b"+OK\r\n")
                else:
                    await self._answer(parts, writer)


async def echo(parts: list[bytes], writer: asyncio.StreamWriter) -> None:
    writer.write(b"$%d\r\n%b\r\n" % (len(parts[1]), parts[1]))

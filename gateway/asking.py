"""Asking many servers for the same: whoever answers soon is heard, and nobody who is silent is waited for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection
from typing import Any

import hiredis

from gateway.errors import NotSent
from gateway.redis_url import Address
from gateway.resp import pack

ANSWER_WITHIN_S = 0.5
OTHERS_WITHIN_S = 0.1
"""How long after the first answer the others are waited for."""


async def first_answers(asking: Collection[asyncio.Future[Any]]) -> None:
    """Wait until enough have answered, and give the others up; those that are done have an answer or an error."""
    try:
        await asyncio.wait(asking, timeout=ANSWER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not all(each.done() for each in asking):
            found = any(each.done() and each.exception() is None for each in asking)
            await asyncio.wait(asking, timeout=OTHERS_WITHIN_S if found else ANSWER_WITHIN_S)
    finally:
        for each in asking:
            each.cancel()


async def exchange(
    address: Address, commands: list[tuple[str, ...]], tls: ssl.SSLContext | None = None
) -> list[Any]:
    """Send commands over a connection of their own; as many replies, errors among them.

    Raises:
        NotSent: the server hung up.
        OSError: it cannot be reached.
    """
    reader, writer = await asyncio.open_connection(*address, ssl=tls)
    try:
        writer.write(b"".join(pack(*command) for command in commands))
        parser = hiredis.Reader()
        replies: list[Any] = []
        while len(replies) < len(commands):
            data = await reader.read(65536)
            if not data:
                raise NotSent(f"{address[0]}:{address[1]} closed the connection")
            parser.feed(data)
            while (reply := parser.gets()) is not False:
                replies.append(reply)
        return replies
    finally:
        writer.transport.abort()

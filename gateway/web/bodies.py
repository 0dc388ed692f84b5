"""Reading request bodies with a bound, on both server interfaces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.types import Receive

from gateway.errors import SeckillError

DRAIN_MAX_BYTES = 16 * 1024 * 1024
"""So much of a body that is too large is read and thrown away, so that its connection stays usable."""


class BodyTooLarge(SeckillError):
    """The body is longer than allowed."""


class ClientGone(SeckillError):
    """The client went, or stopped sending, before its body was complete."""


async def asgi_chunks(receive: Receive) -> AsyncIterator[bytes]:
    """A body as ASGI hands it over.

    Raises:
        ClientGone: the client went.
    """
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def rsgi_chunks(proto: Any) -> AsyncIterator[bytes]:
    """A body as RSGI hands it over; one that was cut off simply ends."""
    async for chunk in proto:
        yield chunk


async def read_body(chunks: AsyncIterator[bytes], declared: str, max_bytes: int) -> bytes:
    """The whole body.

    Args:
        chunks: the body as it comes.
        declared: the Content-Length header, `0` when absent.
        max_bytes: the most that is kept.

    Raises:
        BodyTooLarge: after it was drained, or once `DRAIN_MAX_BYTES` have come.
        ClientGone: it ended before its declared length.
    """
    kept: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size <= max_bytes:
            kept.append(chunk)
        elif size > DRAIN_MAX_BYTES:
            break
    length = int(declared) if declared.isdecimal() and declared.isascii() else 0
    if size > max_bytes or length > DRAIN_MAX_BYTES:
        raise BodyTooLarge
    if size < length:
        raise ClientGone
    return b"".join(kept)

"""Reading request bodies with a bound."""

from __future__ import annotations

from starlette.types import Receive

from gateway.errors import SeckillError

DRAIN_MAX_BYTES = 16 * 1024 * 1024
"""So much of a body that is too large is read and thrown away, so that its connection stays usable."""


class BodyTooLarge(SeckillError):
    """The body is longer than allowed."""


async def read_body(receive: Receive, declared: bytes, max_bytes: int) -> bytes:
    """The whole body.

    Args:
        receive: ASGI's receive.
        declared: the Content-Length header, `0` when absent.
        max_bytes: the most that is kept.

    Raises:
        BodyTooLarge: after it was drained, or once `DRAIN_MAX_BYTES` have come.
    """
    chunks: list[bytes] = []
    size = 0
    too_large = declared.isdigit() and int(declared) > max_bytes
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            too_large = True
            chunks.clear()
        if not too_large and chunk:
            chunks.append(chunk)
        if not message.get("more_body", False) or size > DRAIN_MAX_BYTES:
            break
    if too_large:
        raise BodyTooLarge
    return b"".join(chunks)

"""The floor: a raw ASGI app that answers every request with the same few bytes, served like the gateway.

``python -m loadtest.peers.constant PORT``. What it costs is the price of the HTTP server alone; no gateway under
this server can be faster.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels

SERVED: dict[str, Any] = {
    "interface": Interfaces.ASGI,
    "workers": 1,
    "loop": Loops.uvloop,
    "runtime_mode": RuntimeModes.st,
    "http": HTTPModes.http1,
    "http1_settings": HTTP1Settings(max_buffer_size=64 * 1024),
    "websockets": False,
    "backlog": 4096,
    "backpressure": 20_000,
    "respawn_failed_workers": True,
    "log_level": LogLevels.warning,
}
"""How the gateway is served with default settings; a test holds the two against each other."""

BODY = b'{"outcome":"constant"}'
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
        (b"cache-control", b"no-store"),
    ],
}
REST = {"type": "http.response.body", "body": BODY}

Event = MutableMapping[str, Any]


async def app(
    scope: Event, receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]
) -> None:
    """Answer."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    await send(START)
    await send(REST)


def main(port: int) -> None:
    """Serve until told to stop."""
    Granian("loadtest.peers.constant:app", address="127.0.0.1", port=port, **SERVED).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""What the event streams of the gateway and of the sidecar have in common."""

from __future__ import annotations

import signal

from starlette.types import Receive

CLOSE_STREAMS = signal.SIGUSR1
"""Sent to the workers when a server is about to stop, as open streams would keep them from it."""
KEEP_ALIVE_S = 15.0
"""A stream says something at least this often, so that whoever is between keeps it open."""
MEDIA_TYPE = "text/event-stream"
HEADERS = (
    (b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode()),
    (b"x-accel-buffering", b"no"),
)
"""Of the reply that a stream is."""
STILL_HERE = b": still here\n\n"
"""What is sent when nothing has happened."""


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass

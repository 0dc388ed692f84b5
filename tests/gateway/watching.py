"""A page that watches an offer."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.gateway.serving import Gateway


class Watcher:
    """An open event stream."""

    def __init__(self, gateway: Gateway, offer_id: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
        self.connection.sendall(f"GET /seckill/{offer_id}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.stream = self.connection.makefile("rb")
        self.head = b""
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            self.head += line.lower()

    def next(self) -> dict[str, Any]:
        """The next event."""
        while line := self.stream.readline():
            if line.startswith(b"data: "):
                event: dict[str, Any] = json.loads(line[6:])
                return event
        raise EOFError

    def close(self) -> None:
        self.stream.close()
        self.connection.close()

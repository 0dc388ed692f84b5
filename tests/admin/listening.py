"""A page that has one of the sidecar's streams open."""

from __future__ import annotations

from typing import Any

import anyio
import orjson
from anyio.from_thread import BlockingPortal
from sidecar import Api


class Listener:
    """Somebody who listens until the end of a `with` block, or until they leave."""

    def __init__(
        self, api: Api, portal: BlockingPortal, path: str, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        self._api, self._portal, self._path, self._headers = api, portal, path, headers or []
        self._left = portal.call(anyio.Event)
        self.started: dict[str, Any] = {}
        self.body = b""
        self.ended = portal.start_task_soon(self._listen)

    @property
    def status(self) -> int:
        """0 until the reply begins."""
        return int(self.started.get("status", 0))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(line[6:]) for line in self.body.splitlines() if line.startswith(b"data: ")]

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the page, and wait until the sidecar has noticed."""
        self._portal.call(self._left.set)
        self.ended.result(timeout=10)

    async def _listen(self) -> None:
        path = self._path
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        asked = [{"type": "http.request", "body": b""}]

        async def receive() -> dict[str, Any]:
            if asked:
                return asked.pop()
            await self._left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.started = message
            self.body += message.get("body", b"")

        await self._api.serve({**scope, "headers": self._headers}, receive, send)

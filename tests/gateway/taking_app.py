"""A small RSGI app that takes some requests without a task. Run as a program: PORT [strange].

`strange` gives granian's function, which is replaced, other parameters than the ones that are known.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from granian import _futures
from granian.constants import Interfaces

from gateway.serving import serve
from gateway.settings import Settings
from gateway.web import intake

HEADERS = [("content-type", "text/plain")]


class App:
    """Takes `/taken`, fails at `/broken`, and leaves the rest to a task."""

    def __rsgi_init__(self, loop: Any) -> None:
        intake.install(loop, self.take)

    def take(self, scope: Any, proto: Any) -> bool:
        if scope.path == "/broken":
            raise RuntimeError("broken on purpose")
        if scope.path != "/taken":
            return False
        proto.response_bytes(200, HEADERS, b"taken")
        return True

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        proto.response_bytes(200, HEADERS, b"by a task")


def create() -> App:
    """A worker's app."""
    logging.basicConfig()
    return App()


def create_strange() -> App:
    """A worker's app, under a granian of another kind."""
    known = _futures._cbsched_aioschedule

    def unknown(loop: Any, ctx: Any, cb: Any, more: Any = None) -> Any:
        return known(loop, ctx, cb)

    _futures._cbsched_aioschedule = unknown
    return create()


if __name__ == "__main__":
    name = "create_strange" if sys.argv[2:] else "create"
    serve(
        f"tests.gateway.taking_app:{name}",
        Settings(),
        "127.0.0.1",
        int(sys.argv[1]),
        1,
        interface=Interfaces.RSGI,
    )

"""A wire to Redis on an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from gateway.wire import Wire
from tests.gateway.waiting import until


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, within 20 s."""
    asyncio.run(asyncio.wait_for(work, 20))


@contextlib.asynccontextmanager
async def connected(url: str, set_up: Any = None) -> AsyncIterator[Wire]:
    """A wire that is ready."""
    wire = Wire(url, set_up)
    await wire.start()
    try:
        await until(lambda: wire.ready)
        yield wire
    finally:
        await wire.stop()

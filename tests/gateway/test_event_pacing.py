"""Given many or slow watchers, when an offer changes, then each hears the newest, once, in its turn."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from redis import Redis

from gateway.web import events
from tests.gateway.asgi import app_of, lifespan, settings_of
from tests.lua.calling import Sale

WITHIN_S = 10.0


class Page:
    """A page over plain ASGI: what it was sent, and when. While `reading` is clear, it takes nothing."""

    def __init__(self, app: Any, offer_id: str) -> None:
        self.pieces: list[bytes] = []
        self.arrived_s: list[float] = []
        self.over = False
        self.reading = asyncio.Event()
        self.reading.set()
        self._news = asyncio.Condition()
        self._gone = asyncio.Event()
        path = f"/seckill/{offer_id}/events"
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"headers": [], "http_version": "1.1", "scheme": "http", "server": ("shop", 80), "client": None}
        self._asked = False
        self._task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reading.wait()
        async with self._news:
            if message["type"] == "http.response.body":
                self.pieces += [message["body"]] if message["body"] else []
                self.arrived_s.append(time.monotonic())
                self.over = not message.get("more_body", False)
            self._news.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the page shows."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(holds), WITHIN_S)

    async def until_left(self, left: int) -> None:
        """Wait until the page shows so many units."""
        await self.until(lambda: self.left == left)

    @property
    def left(self) -> int:
        """The units that the page shows; -1 before it knows."""
        told = [json.loads(piece[6:])["left"] for piece in self.pieces if piece.startswith(b"data: {")]
        return told[-1] if told else -1

    async def close(self) -> None:
        """Go away."""
        self.reading.set()
        self._gone.set()
        await asyncio.wait_for(self._task, WITHIN_S)


def watch(
    redis: Redis, sale: Sale, pages: int, script: Callable[[list[Page]], Awaitable[None]], **settings: str
) -> list[Page]:
    """Open so many pages on a sale, let `script` happen to them, close them."""
    app = app_of(settings_of(redis, **settings)).asgi

    @asynccontextmanager
    async def opened() -> AsyncIterator[list[Page]]:
        found = [Page(app, sale.id) for _ in range(pages)]
        for page in found:
            await page.until(lambda page=page: bool(page.pieces))  # type: ignore[misc]
        yield found
        for page in found:
            await page.close()

    async def use() -> list[Page]:
        async with lifespan(app), opened() as found:
            await script(found)
        return found

    return asyncio.run(use())


@pytest.fixture
def sale(redis: Redis, offer_id: str) -> Sale:
    return Sale.open(redis, offer_id, stock=100)


def test_an_event_is_encoded_once_for_all_watchers(redis: Redis, sale: Sale) -> None:
    async def script(pages: list[Page]) -> None:
        sale.admit("amy")
        for page in pages:
            await page.until_left(99)

    first, second = watch(redis, sale, 2, script)
    assert first.pieces[-1] is second.pieces[-1]


def test_a_page_that_reads_slowly_hears_the_newest_and_nothing_in_between(redis: Redis, sale: Sale) -> None:
    async def script(pages: list[Page]) -> None:
        quick, slow = pages
        slow.reading.clear()
        for number in range(1, 4):
            sale.admit(f"shopper-{number}")
            await quick.until_left(100 - number)
        slow.reading.set()
        await slow.until_left(97)

    quick, slow = watch(redis, sale, 2, script)
    assert len(quick.pieces) == 4
    # What was on its way when it stopped reading, and then the newest.
    assert len(slow.pieces) <= 3


def test_watchers_hear_one_after_the_other_at_the_rate_that_is_set(redis: Redis, sale: Sale) -> None:
    async def script(pages: list[Page]) -> None:
        sale.admit("amy")
        for page in pages:
            await page.until_left(99)

    pages = watch(redis, sale, 4, script, events_per_s="10")
    heard_s = sorted(page.arrived_s[1] for page in pages)
    assert all(after - before > 0.08 for before, after in pairwise(heard_s))


def test_a_stream_that_is_long_enough_ends_and_says_so(
    redis: Redis, sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAM_MAX_BYTES", 1)

    async def script(pages: list[Page]) -> None:
        sale.admit("amy")
        await pages[0].until_left(99)
        sale.admit("bob")
        await pages[0].until(lambda: pages[0].over)

    (page,) = watch(redis, sale, 1, script)
    assert page.pieces[-1] == events.AGAIN


def test_a_quiet_stream_still_says_something(redis: Redis, sale: Sale, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.1)

    async def script(pages: list[Page]) -> None:
        await pages[0].until(lambda: b": still here\n\n" in pages[0].pieces)

    (page,) = watch(redis, sale, 1, script)
    assert page.left == 100

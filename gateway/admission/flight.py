"""A click that waits for Redis, and the batch in which it is sent."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from gateway.admission.primary import Primary


class Click(NamedTuple):
    """One click that waits for a batch.

    `asker` is whoever waits for the reply; the lane only hands it on. `until_s`: monotonic time after which it is
    answered `busy`.
    """

    asker: Any
    shopper: bytes
    quantity: int
    key: bytes
    eligible: bool
    until_s: float


class Flight:
    """A batch that was sent. Its clicks are taken out when they are answered, so that nobody is told twice."""

    __slots__ = ("asked_s", "clicks", "deadline_ms", "primary", "timer")

    def __init__(self, clicks: list[Click], asked_s: float, deadline_ms: int, primary: Primary) -> None:
        self.clicks = clicks
        self.primary = primary
        self.asked_s = asked_s
        self.deadline_ms = deadline_ms
        self.timer: asyncio.TimerHandle | None = None

    def unload(self) -> list[Click]:
        """The clicks, which the caller answers or queues again."""
        clicks, self.clicks = self.clicks, []
        return clicks

"""Shedding: when clicks keep coming faster than one worker can answer, some are refused at once.

A queue that comes and goes is a burst, and everybody in it is served a little later. A queue that stays is
overload: then every click would wait for all that came before it, and only refusing some keeps the others quick
(the idea of CoDel). The queue's length is the time that one turn of the event loop takes, since every click that
has arrived is worked on in the next turn.
"""

from __future__ import annotations

import asyncio
import time

PROBE_EVERY_S = 0.01
STANDING_S = 0.1
"""A queue that has been too long for this time stands."""
CALM_S = 1.0
"""So long after the last refusal the worker takes everything again."""
ACCEPTING_SHARE = 0.5
"""Part of the allowed lag that clicks may use in one turn; the rest is for their replies and for refusals."""


class Shedding:
    """Watches one worker's event loop. `on` is cheap to ask; only while it is set, `refuses` is asked per click."""

    def __init__(self, lag_max_ms: int) -> None:
        self.on = False
        self._lag_max_s = lag_max_ms / 1000
        self._accepting_s = self._lag_max_s * ACCEPTING_SHARE
        self._long_since_s: float | None = None
        self._refused_s = 0.0
        self._turn_began_s: float | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._watching = self._loop.create_task(self._watch(), name="shedding")

    def stop(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            due_s = time.monotonic() + PROBE_EVERY_S
            await asyncio.sleep(PROBE_EVERY_S)
            now_s = time.monotonic()
            self.learn(now_s - due_s, now_s)

    def learn(self, lag_s: float, now_s: float) -> None:
        """Take over how late a timer was, at `now_s` (monotonic)."""
        if self.on:
            if now_s - self._refused_s > CALM_S:
                self.on = False
                self._long_since_s = None
        elif lag_s <= self._lag_max_s:
            self._long_since_s = None
        elif self._long_since_s is None:
            self._long_since_s = now_s
        elif now_s - self._long_since_s >= STANDING_S:
            self.on = True
            self._refused_s = now_s

    def refuses(self) -> bool:
        """Whether the click at hand is one too many for this turn of the event loop."""
        now_s = time.monotonic()
        if self._turn_began_s is None:
            self._turn_began_s = now_s
            self._loop.call_soon(self._end_turn)
        if now_s - self._turn_began_s < self._accepting_s:
            return False
        self._refused_s = now_s
        return True

    def _end_turn(self) -> None:
        self._turn_began_s = None

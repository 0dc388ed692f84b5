"""Clicks are taken many at a time: all requests of one turn of the event loop, in one loop, without a task each.

Granian's worker makes a coroutine and a task for every request, and wakes the event loop for each. Here the
requests gather in a list, the loop is woken once, and what can be taken at once is taken one after the other; only
the rest gets its task, from granian. This replaces one function of granian that is not public: where that
function has changed, everything goes granian's way, and the log says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
from collections.abc import Callable
from contextvars import Context
from typing import Any

import granian
from granian import _futures

from gateway.web.answers import give_up

log = logging.getLogger(__name__)

Take = Callable[[Any, Any], bool]
"""Takes a request (scope, protocol object) at once and answers it now or later; False leaves it to a task."""

Schedule = Callable[[Any], None]
"""What granian calls with every request, from a thread of its own that holds the interpreter's lock."""

_MAKER = "_cbsched_aioschedule"
_MAKER_TAKES = ["loop", "ctx", "cb"]


class Intake:
    """The requests that wait for the next turn of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, context: Context, take: Take, otherwise: Schedule) -> None:
        self._loop = loop
        self._context = context
        self._take = take
        self._otherwise = otherwise
        self._waiting: list[Any] = []
        self._woken = False

    def schedule(self, watcher: Any) -> None:
        """Let a request wait for the next turn."""
        self._waiting.append(watcher)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._drain, context=self._context)

    def _drain(self) -> None:
        # First this: whoever comes from now on wakes the loop again, though they may still be taken in this turn.
        self._woken = False
        waiting = self._waiting
        taken = waiting[:]
        del waiting[: len(taken)]
        take = self._take
        for watcher in taken:
            proto = watcher.proto
            try:
                if not take(watcher.scope, proto):
                    self._otherwise(watcher)
            except Exception:
                give_up(proto)


def install(loop: asyncio.AbstractEventLoop, take: Take) -> None:
    """Let `take` see every request first. To be called before granian makes the worker's scheduler."""
    made: list[Intake] = []
    granians = getattr(_futures, _MAKER, None)

    def maker(loop: asyncio.AbstractEventLoop, ctx: Context, cb: Any) -> Schedule:
        made.append(Intake(loop, ctx, take, granians(loop, ctx, cb)))  # type: ignore[misc]
        return made[0].schedule

    def check() -> None:
        if not made:
            log.warning(
                "granian %s hands requests over in a way that is not known here: every click costs a task, which"
                " is slower. Use granian 2.8.",
                granian.__version__,
            )

    _do_not_interrupt()
    if granians is not None and list(inspect.signature(granians).parameters) == _MAKER_TAKES:
        setattr(_futures, _MAKER, maker)
    # The scheduler is made before the worker's loop runs on.
    loop.call_soon(check)


def _do_not_interrupt() -> None:
    """Let granian's thread read all that has arrived before the event loop's thread works on the first of it.

    Otherwise the first request of many wakes the event loop, which takes the core from the thread that was about to
    hand over the others, and makes a turn, and a batch, of one. Threads that are started from now on inherit it.
    """
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # where it is forbidden, it is only a little slower
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

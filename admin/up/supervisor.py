"""Starts parts, starts dead ones again, gives up on hopeless ones, stops all in order."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from admin.up.child import Child, Part
from admin.up.errors import CannotStart, GaveUp
from admin.up.signals import Signals, StopAsked

EXIT_CANNOT_START = 2
"""A role's exit code for what an operator can remove; its last line says what."""

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 5.0
FAILURES_MAX = 5
FAILURES_WINDOW_S = 60.0
"""More than `FAILURES_MAX` deaths within this window are hopeless."""

_BEFORE_REASON = re.compile(r"^(seckill: |\d{4}-\S+ \S+ [A-Z]+ \S+ )")
"""What commands and logs write in front of a sentence."""

TICK_STARTING_S = 0.03
TICK_WATCHING_S = 1.0


def say(text: str) -> None:
    """Tell the operator, on standard error; a closed terminal is no reason to stop."""
    with contextlib.suppress(OSError):
        print(f"seckill: {text}", file=sys.stderr, flush=True)  # noqa: T201 - this is the command's voice


@dataclass(slots=True)
class _Watched:
    child: Child
    failures_s: list[float] = field(default_factory=list)
    restart_at_s: float | None = None


class Supervisor:
    """Parts in the order in which they were started; they are stopped in the order given to `stop`."""

    def __init__(self, logs: Path, signals: Signals) -> None:
        self._logs = logs
        self._signals = signals
        self._watched: dict[str, _Watched] = {}
        self._running_once: Child | None = None
        self._up = False

    def start(self, *parts: Part) -> None:
        """Start parts that shall run until they are stopped."""
        for part in parts:
            child = Child(part, self._logs)
            child.start()
            self._watched[part.name] = _Watched(child)

    def wait_until_answering(self, *names: str, within_s: float) -> None:
        """Wait for parts to answer; a part that dies meanwhile is started again.

        Raises:
            StopAsked: a signal came first.
            CannotStart: a part said that the operator must change something.
            GaveUp: a part kept failing, or did not answer in time.
        """
        waiting = list(names)

        def all_answer() -> bool:
            waiting[:] = [name for name in waiting if not self._answers(name)]
            return not waiting

        if not self.wait_until(all_answer, within_s=within_s):
            self._show_log(self._watched[waiting[0]].child)
            raise GaveUp(f"no answer from {', '.join(waiting)} within {within_s:.0f} s")

    def wait_until(self, holds: Callable[[], bool], *, within_s: float) -> bool:
        """Look after the parts until something holds; False when it does not in time.

        Raises:
            StopAsked, CannotStart, GaveUp: see `wait_until_answering`.
        """
        deadline_s = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > deadline_s:
                return False
            self._tick(TICK_STARTING_S)
        return True

    def run_once(self, part: Part, within_s: float) -> int:
        """Run a part to its end, while the others are watched, and return its exit code.

        Raises:
            StopAsked, CannotStart, GaveUp: see `wait_until_answering`.
        """
        child = self._running_once = Child(part, self._logs)
        child.start()
        if not self.wait_until(lambda: child.exit_code is not None, within_s=within_s):
            raise GaveUp(f"{part.name} did not end within {within_s:.0f} s; see {child.log}")
        self._running_once = None
        code = child.exit_code
        assert code is not None
        if code == EXIT_CANNOT_START:
            raise CannotStart(self._reason(child))
        if code != 0:
            self._show_log(child)
        return code

    def watch(self) -> NoReturn:
        """Keep all parts running until a signal asks to stop.

        Raises:
            StopAsked: that signal came.
            GaveUp: a part failed again and again.
        """
        self._up = True
        while True:
            self._tick(TICK_WATCHING_S)
            for watched in self._watched.values():
                watched.child.bound_log()

    def stop(self, *order: str) -> None:
        """Stop all that run, those named first and in this order; none is left, whatever happens."""
        if self._running_once is not None:
            self._running_once.kill()
        rest = [name for name in self._watched if name not in order]
        for name in [*order, *rest]:
            if name in self._watched:
                self._stop(self._watched[name].child)

    def _stop(self, child: Child) -> None:
        if child.exit_code is None:
            child.terminate()
            asked_s = time.monotonic()
            while child.exit_code is None:
                in_haste = self._signals.stops > 1
                limit_s = child.part.hasty_stop_within_s if in_haste else child.part.stop_within_s
                left_s = asked_s + limit_s - time.monotonic()
                if left_s <= 0:
                    say(f"{child.part.name} did not stop within {limit_s:.0f} s and is killed")
                    break
                self._signals.pause(min(left_s, TICK_WATCHING_S))
        child.kill()

    def _answers(self, name: str) -> bool:
        watched = self._watched[name]
        return watched.restart_at_s is None and watched.child.part.answers()

    def _tick(self, pause_s: float) -> None:
        """One turn: wait a moment, look after the dead, start those whose time has come."""
        due_s = min((w.restart_at_s for w in self._watched.values() if w.restart_at_s), default=None)
        now_s = time.monotonic()
        self._signals.pause(pause_s if due_s is None else min(pause_s, due_s - now_s))
        if self._signals.stops:
            raise StopAsked("asked to stop")
        now_s = time.monotonic()
        for watched in self._watched.values():
            if watched.restart_at_s is not None:
                if now_s >= watched.restart_at_s:
                    watched.restart_at_s = None
                    watched.child.start()
            elif watched.child.exit_code is not None:
                self._bury(watched, now_s)

    def _bury(self, watched: _Watched, now_s: float) -> None:
        child = watched.child
        child.kill()  # what it started must not keep its port
        name, code = child.part.name, child.exit_code
        assert code is not None
        if code == EXIT_CANNOT_START and not self._up:
            raise CannotStart(self._reason(child))
        watched.failures_s = [at_s for at_s in watched.failures_s if now_s - at_s < FAILURES_WINDOW_S]
        watched.failures_s.append(now_s)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._show_log(child)
        if len(watched.failures_s) > FAILURES_MAX:
            raise GaveUp(f"{name} {how} for the {len(watched.failures_s)}th time; see {child.log}")
        back_off_s = min(BACKOFF_FIRST_S * 2 ** (len(watched.failures_s) - 1), BACKOFF_MAX_S)
        watched.restart_at_s = now_s + back_off_s
        say(f"{name} {how}; it is started again in {back_off_s:.1f} s")

    def _show_log(self, child: Child) -> None:
        for line in child.last_lines():
            say(f"  {child.part.name}| {line}")

    def _reason(self, child: Child) -> str:
        lines = child.last_lines()
        return _BEFORE_REASON.sub("", lines[-1]) if lines else f"{child.part.name} cannot start"

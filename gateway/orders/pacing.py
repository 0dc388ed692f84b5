"""When to do something again: periodic chores, and parts that are away for a while."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

BACKOFF_FIRST_S = 0.05
ERROR_MAX_CHARS = 300

log = logging.getLogger(__name__)


class Timer:
    """Is due once per period, at once to begin with."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._next = 0.0

    def due(self) -> bool:
        """Whether the period has passed; if so, the next one begins."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._period_s
        return True


@dataclass(slots=True)
class Outage:
    """A part that may be away: says once that it is gone and once that it is back, and paces the tries."""

    name: str
    wait_max_s: float
    meanwhile: str
    speaks: bool = True
    away: bool = False
    wait_s: float = BACKOFF_FIRST_S

    def failed(self, error: Exception) -> float:
        """Note a failure; how long to wait before the next try, in seconds."""
        if self.speaks and not self.away:
            log.error("%s is away, %s: %s", self.name, self.meanwhile, one_line(error))
        self.away = True
        wait_s, self.wait_s = self.wait_s, min(self.wait_s * 2, self.wait_max_s)
        return wait_s

    def worked(self) -> None:
        """Note a success."""
        if self.speaks and self.away:
            log.info("%s is back", self.name)
        self.away, self.wait_s = False, BACKOFF_FIRST_S


def one_line(error: Exception) -> str:
    """An error for the log: its first line, without the statement and its parameters."""
    # SQLAlchemy's own text carries both; the driver's does not.
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return text.splitlines()[0][:ERROR_MAX_CHARS]

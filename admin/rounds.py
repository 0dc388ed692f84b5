"""A thread that makes rounds over what a crash or an outage left unfinished."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from admin.errors import Lost
from gateway.errors import OfferError, RedisProblem

STUCK_AFTER_S = 10.0
"""Without a round that came to its end for so long, the thread is called stuck."""
EXPECTED = (RedisError, RedisProblem, OfferError, Lost, TimeoutError, SQLAlchemyError)
"""What stops a round because a store is away; the next round tries again."""

_log = logging.getLogger(__name__)


class Rounds(ABC):
    """Makes one round after the other. Any number may run at once, in any number of processes."""

    name: str
    """What complaints and logs call it."""
    interval_s = 0.5
    """Between two rounds."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._finished_at = time.monotonic()
        self._complaint = ""

    @abstractmethod
    def round(self) -> None:
        """Finish whatever is unfinished, once.

        Raises:
            RedisError, SQLAlchemyError: a store cannot be used; the work stays for the next round.
        """

    @property
    def stopping(self) -> bool:
        """Whether a round should leave the rest of its work."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin making rounds; the first one at once, for what an earlier process left."""
        self._finished_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def progress(self) -> None:
        """Say in the middle of a long round that it is getting on."""
        self._finished_at = time.monotonic()

    def complaints(self) -> list[str]:
        """Why it cannot keep up, if it cannot."""
        idle_s = time.monotonic() - self._finished_at
        if self._thread is None or not self._thread.is_alive():
            return [f"the {self.name} does not run"]
        if idle_s > STUCK_AFTER_S:
            return [f"the {self.name} is stuck for {idle_s:.0f} s: {self._complaint or 'no round ended'}"]
        return []

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.round()
                self._finished_at = time.monotonic()
                self._complaint = ""
            except EXPECTED as error:
                self._complain(error)
            except Exception as error:
                # Nobody else would finish the work, so the thread outlives what it does not understand.
                _log.exception("a round of the %s failed", self.name)
                self._complaint = repr(error)
            self._stop.wait(self.interval_s)

    def _complain(self, error: Exception) -> None:
        text = str(error).splitlines()[0] if str(error) else repr(error)
        if text != self._complaint:
            _log.warning("the %s will try again: %s", self.name, text)
        self._complaint = text

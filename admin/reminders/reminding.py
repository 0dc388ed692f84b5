"""The thread that sends due reminders and forgets old ones."""

from __future__ import annotations

import logging
import time

from admin.reminders import sending
from admin.resources import Resources
from admin.rounds import Rounds

FORGET_EVERY_S = 60.0
_log = logging.getLogger(__name__)


class Reminding(Rounds):
    """Makes rounds over due reminders. Any number may run at once, in any number of processes."""

    name = "reminding"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._full = False
        self._forgot_at = float("-inf")

    def round(self) -> None:
        """Send whatever is due, once.

        Raises:
            RedisError, SQLAlchemyError: a store cannot be used; the work stays for the next round. Notices are
                written even while Redis is away.
        """
        while not self.stopping and sending.notify(self._resources):
            pass
        while not self.stopping:
            given, held = sending.announce(self._resources)
            self._warn(full=held > 0)
            if held or not given:
                break
        if time.monotonic() - self._forgot_at >= FORGET_EVERY_S:
            sending.forget_old(self._resources)
            self._forgot_at = time.monotonic()

    def _warn(self, *, full: bool) -> None:
        if full and not self._full:
            _log.warning("the stream of reminders is full: its reader must delete what it has handled")
        self._full = full

"""Stop requests, and waiting that a signal or a dying child ends at once."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
from types import FrameType, TracebackType

from admin.up.errors import UpError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(UpError):
    """Somebody asked `up` to stop; a wish, not a failure."""


class Signals:
    """Counts stop signals while it is entered. One asks for an orderly stop, a second one for haste."""

    def __init__(self) -> None:
        self.stops = 0
        self._reader, self._writer = socket.socketpair()

    def __enter__(self) -> Signals:
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            # Set explicitly: a shell starts background jobs with SIGINT ignored. (Ignored SIGHUP: nohup.)
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._count)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # only so that it ends a pause
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Handlers stay: a late signal must not turn an orderly end into a killed process.
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()

    def pause(self, timeout_s: float) -> None:
        """Sleep, at most `timeout_s`; a signal or the end of a child ends it."""
        select.select([self._reader], [], [], max(0.0, timeout_s))
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1

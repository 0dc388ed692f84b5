"""One child process: started in its own process group, its output in a bounded log."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import lifeline

LOG_BYTES_MAX = 10 * 1024 * 1024
"""A longer log moves to `….1` (replacing it), so one process keeps at most twice this."""

TAIL_LINES = 15
TAIL_BYTES_MAX = 8192


@dataclass(frozen=True, slots=True)
class Part:
    """What to run. `answers` tells whether it does its work.

    `stop_within_s` is its time to stop by itself, `hasty_stop_within_s` when somebody asked twice.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    stop_within_s: float
    hasty_stop_within_s: float = 0.0


class Child:
    """A part's process. It can be started again after it has ended."""

    def __init__(self, part: Part, logs: Path) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self.started_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    def start(self) -> None:
        """Start it. It cannot outlive this process, and signals of the terminal do not reach it."""
        self.bound_log()
        parent_pid = os.getpid()
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, or the server program found
                self.part.command,
                env=self.part.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # own group, same session
                # Between fork and exec, which is safe here: this process has one thread.
                preexec_fn=lambda: lifeline.ask_kernel(parent_pid),  # noqa: PLW1509
            )
        self.started_s = time.monotonic()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        assert self._process is not None
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to stop."""
        assert self._process is not None
        self._process.terminate()

    def kill(self) -> None:
        """End it and whatever it started, at once; also sweeps up after one that has ended."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def bound_log(self) -> None:
        """Move a log that grew too long aside; the process appends, so it goes on at the new beginning."""
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_BYTES_MAX:
                shutil.copyfile(self.log, self.log.with_name(f"{self.log.name}.1"))
                os.truncate(self.log, 0)
                self._log_from = 0

    def last_lines(self) -> list[str]:
        """The end of what it has logged since it was started."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_from, size - TAIL_BYTES_MAX))
            return log.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]

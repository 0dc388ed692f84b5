"""One process of a deployment: started in a session of its own, killed, stopped, continued, started again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import wait_until

SECKILL = [sys.executable, "-P", "-m", "admin.cli"]
STOP_WITHIN_S = 25.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _before_exec() -> None:
    """Die with the harness; a file that may not grow is an error of the write, not a signal that kills."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@dataclass
class Role:
    """A command that can be started again and again. Its output goes to one file."""

    name: str
    command: list[str]
    environ: dict[str, str]
    log: Path
    user: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    exits: list[int] = field(default_factory=list, init=False)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> Role:
        """Start it unless it runs."""
        if self.alive:
            return self
        self._reap()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                preexec_fn=_before_exec,  # noqa: PLW1509 - one thread starts processes, and it is not in a lock
            )
        return self

    def family(self) -> list[psutil.Process]:
        """The process and everything below it."""
        if self.process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            return [main, *main.children(recursive=True)]
        return []

    def workers(self) -> list[psutil.Process]:
        """Worker processes of a server that has some."""
        found = []
        for each in self.family()[1:]:
            with contextlib.suppress(psutil.Error):
                if "spawn_main" in " ".join(each.cmdline()):
                    found.append(each)
        return found

    def signal(self, number: int) -> None:
        """Send a signal to the main process alone."""
        if self.alive and self.process is not None:
            self.process.send_signal(number)

    def signal_all(self, number: int) -> None:
        """Send a signal to the process and everything below it."""
        for each in self.family():
            with contextlib.suppress(psutil.Error):
                each.send_signal(number)

    def kill(self) -> None:
        """End it at once, with everything below it."""
        below = self.family()[1:]
        self.signal(signal.SIGKILL)
        for each in below:
            with contextlib.suppress(psutil.Error):
                each.kill()
        self._reap()
        # Not `wait_procs`: where nobody reaps orphans, they stay for ever.
        wait_until(lambda: all(map(gone, below)), what=f"the end of everything below {self.name}")

    def stop(self) -> None:
        """Ask it to end in order, and wait; kill it when it does not."""
        self.signal_all(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self.wait(STOP_WITHIN_S)
        self.kill()

    def wait(self, within_s: float) -> bool:
        """Whether it has ended by itself in time."""
        if self.process is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(within_s)
        return not self.alive

    def _reap(self) -> None:
        if self.process is not None:
            self.exits.append(self.process.wait())
            self.process = None

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def clean_environment() -> dict[str, str]:
    """This environment without anybody's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SECKILL_")}


def seckill(*arguments: str, environ: dict[str, str], within_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*SECKILL, *arguments], env=environ, text=True, capture_output=True, timeout=within_s, check=False
    )


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True

"""Server processes: started with their log in a file, pinned to a core, measured, and stopped in order."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import psutil

from loadtest.errors import StartError

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
LOG_TAIL_CHARACTERS = 2000
ROOT = Path(__file__).resolve().parent.parent
"""The project's folder, from which all commands run."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds that a process and its descendants have used, and their resident bytes, largest one first."""

    cpu_s: float
    resident_bytes: tuple[int, ...]


def free_port() -> int:
    """A TCP port of loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def seckill_command() -> str:
    """The installed command beside the running interpreter."""
    return str(Path(sys.executable).with_name("seckill"))


def unwind_on_sigterm() -> None:
    """Make SIGTERM end this program like Ctrl-C does: servers are stopped and temporary folders removed."""

    def leave(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)


def clean_environ() -> dict[str, str]:
    """This process's environment without settings of the system under test: a run depends on its own alone."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SECKILL_")}


def cores() -> tuple[int, int] | None:
    """The core of the server under test and the core of everything else, or None with a single core."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else None


def pinned(core: int | None) -> Callable[[], None] | None:
    """What a new process does first to stay on a core; None where there is nothing to choose."""
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


class Server:
    """A running server process."""

    def __init__(self, name: str, process: subprocess.Popen[str], log: IO[bytes]) -> None:
        self.name = name
        self.process = process
        self._log = log

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        core: int | None = None,
        pipe: bool = False,
    ) -> Self:
        """Start a command; errors (and output, unless `pipe`) go to ``NAME.log`` in `folder`."""
        log = (folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env={**clean_environ(), **(environ or {})},
            stdout=subprocess.PIPE if pipe else log,
            stderr=log,
            text=True,
            preexec_fn=pinned(core),  # noqa: PLW1509 - nothing else runs here yet
        )
        return cls(name, process, log)

    def wait_ready(self, ready: Callable[[], bool], *, within_s: float = READY_WITHIN_S) -> None:
        """Poll until `ready()`.

        Raises:
            StartError: the process ended, or the time is over.
        """
        end = time.monotonic() + within_s
        while not ready():
            code = self.process.poll()
            if code is not None or time.monotonic() > end:
                what = f"ended with {code}" if code is not None else f"was not ready within {within_s} s"
                raise StartError(f"{self.name} {what}:\n{self.log_tail()}")
            time.sleep(0.02)

    def first_line(self, *, within_s: float) -> str:
        """The first line of its piped output; empty when it ended or stayed silent for `within_s`."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.process.stdout, selectors.EVENT_READ)
            return self.process.stdout.readline() if waiting.select(within_s) else ""

    def log_tail(self) -> str:
        """The end of its log."""
        return Path(self._log.name).read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]

    def usage(self) -> Usage:
        """CPU time (all threads, user and system) and memory of the process and its descendants."""
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        cpu_s, resident = 0.0, []
        for each in family:
            try:
                times = each.cpu_times()
                cpu_s += times.user + times.system
                resident.append(each.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        return Usage(cpu_s, tuple(sorted(resident, reverse=True)))

    def stop(self) -> int:
        """Ask it to stop, kill it if it does not; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        return code

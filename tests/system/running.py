"""`seckill up` as an operator runs it: real processes in a session of their own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_until

SECKILL = [sys.executable, "-P", "-m", "admin.cli"]
READY_WITHIN_S = 30.0


def environment(**given: str) -> dict[str, str]:
    """This environment with no other settings than these: a developer's shell changes nothing.

    One gateway worker starts faster than two; tests that want more say so. Several `up` may run at once, so none
    takes the port of metrics that it has by default.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SECKILL_")}
    return kept | {"SECKILL_WORKERS": "1", "SECKILL_METRICS_BIND": "127.0.0.1:0"} | given


@dataclass
class Up:
    """One `seckill up`. `lines` is all it has printed on standard output so far."""

    folder: Path
    arguments: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=environment)
    process: subprocess.Popen[str] = field(init=False)
    ready: dict[str, str] = field(init=False, default_factory=dict)
    line: str = field(init=False, default="")

    def start(self) -> Up:
        self.process = subprocess.Popen(
            [
                *SECKILL,
                "up",
                "--data",
                str(self.folder),
                "--gateway-port",
                "0",
                "--admin-port",
                "0",
                *self.arguments,
            ],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def until_ready(self) -> Up:
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        match = re.fullmatch(r"ready gateway=(\S+) admin=(\S+) storefront=(\S+) data=(.+)\n", self.line)
        if match is None:
            self.kill_everything()
            pytest.fail(f"no ready line: {self.line!r}\n{self.process.stderr.read()}")  # type: ignore[union-attr]
        self.ready = dict(zip(("gateway", "admin", "storefront", "data"), match.groups(), strict=True))
        return self

    def processes(self) -> list[psutil.Process]:
        """Everything alive in its session."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.process.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return found

    def child(self, role: str) -> psutil.Process | None:
        """The direct child that plays a role: gateway, writer, admin or redis."""
        for process in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is none either
                if role in process.cmdline() or (role == "redis" and "server" in process.name()):
                    return process
        return None

    def secrets(self) -> dict[str, str]:
        """The secrets it made."""
        lines = (self.folder / "secrets.env").read_text().split()
        return dict(line.split("=", 1) for line in lines)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Ask it to stop; exit code, rest of standard output, standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=40)
        return self.process.returncode, out, err

    def kill_all(self) -> None:
        """Kill everything at once; some end by themselves as soon as their parent has gone."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def kill_everything(self) -> None:
        self.kill_all()
        wait_until(lambda: not self.processes(), what="the end of all processes")
        self.process.wait()

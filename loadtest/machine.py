"""What a figure was measured on and with, to be published beside it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import orjson

from loadtest.errors import DirtyTreeError
from loadtest.processes import ROOT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FSYNC_SAMPLES = 200
FSYNC_BYTES = 4096
PACKAGES = ("seckill", "granian", "redis", "hiredis", "uvloop", "locust")


@dataclass(frozen=True, slots=True)
class Machine:
    """Commit, hardware and software of a run."""

    commit: str
    dirty: bool
    cpu: str
    cores: int
    memory_mb: int
    kernel: str
    python: str
    redis: str
    packages: dict[str, str]


def describe() -> Machine:
    """This machine, now."""
    return Machine(
        commit=_output("git", "rev-parse", "--short=12", "HEAD"),
        dirty=bool(_output("git", "status", "--porcelain", "--untracked-files=no")),
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        memory_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        redis=_output(redis_binary(), "--version"),
        packages={name: _version(name) for name in PACKAGES},
    )


def describe_for_report(*, allow_dirty: bool) -> Machine:
    """This machine before a measurement whose report names a commit.

    Raises:
        DirtyTreeError: tracked files differ from the commit, and that was not allowed.
    """
    found = describe()
    if found.dirty and not allow_dirty:
        changed = _output("git", "status", "--porcelain", "--untracked-files=no").splitlines()
        raise DirtyTreeError(
            f"{len(changed)} files differ from commit {found.commit}, so nobody could measure the same again:"
            " commit them, or pass --allow-dirty, which marks the report"
        )
    return found


def publish(found: DataclassInstance, folder: Path, name: str) -> Path:
    """Write figures as JSON, with when and where they were measured; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    about = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": asdict(describe())}
    path.write_bytes(orjson.dumps(about | asdict(found), option=orjson.OPT_INDENT_2))
    return path


def redis_binary() -> str:
    """The Redis or Valkey server on PATH, or a name that is not there."""
    return shutil.which("redis-server") or shutil.which("valkey-server") or "redis-server"


def fsync_us(folder: Path) -> float:
    """Median time that an append of 4 KiB needs to be on the disk of `folder`, µs."""
    path = folder / "fsync.probe"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNC_SAMPLES):
            begun = time.perf_counter()
            file.write(b"x" * FSYNC_BYTES)
            os.fsync(file.fileno())
            took.append((time.perf_counter() - begun) * 1e6)
    path.unlink()
    return median(took)


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""

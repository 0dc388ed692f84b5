"""How fast the order writer catches up, by its own soak test: a full stream into an empty SQLite and PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from loadtest.processes import ROOT

SOAK_TEST = ROOT / "tests" / "gateway" / "orders" / "test_writer_speed.py"
WITHIN_S = 600


def measure(folder: Path) -> dict[str, float]:
    """Orders per second by database; a database that this machine lacks is left out.

    The test fails below the promised speed, and its figures count all the same.
    """
    figures = folder / "writer-speed.jsonl"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "soak", str(SOAK_TEST)]
    environ = {**os.environ, "SECKILL_WRITER_SPEED": str(figures)}
    subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False, timeout=WITHIN_S)
    return read(figures.read_text(encoding="utf-8")) if figures.exists() else {}


def read(text: str) -> dict[str, float]:
    """Read the test's JSON lines; the last one of a database counts."""
    lines = (orjson.loads(line) for line in text.splitlines())
    return {line["database"]: float(line["orders_per_s"]) for line in lines}

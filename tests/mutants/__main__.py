"""``make mutants``: break the code in one place at a time, and see the tests that guard it turn red.

Each mutation is made in a copy of the tree. First the unchanged copy must pass all the tests that are used;
then each mutation must fail some of its own. Exit code 1 when one survives.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.mutants.catalogue import MUTATIONS
from tests.mutants.mutation import Mutation

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("gateway", "admin", "lua", "loadtest", "tests", "docs", "deploy")
FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile")
TIMEOUT_S = 420
LOOKS_AT_TEXT = "tests/lua/test_lua_headers.py"
"""These tests would notice any change of a script's text, which proves nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said of a mutation. `by` is the first test that failed, or why there is none."""

    mutation: Mutation
    noticed: bool
    by: str
    took_s: float


def copy_tree(target: Path) -> None:
    """A copy of everything the tests need."""
    ignored = shutil.ignore_patterns("__pycache__", "results", "node_modules")
    for name in FOLDERS:
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for name in FILES:
        shutil.copy2(ROOT / name, target / name)


def run_tests(tree: Path, tests: str, *, stop_early: bool) -> tuple[int, str]:
    """Run tests of a copy against that copy; pytest's exit code and output."""
    # The copy comes before the installed project on the path, in the tests' own processes too.
    environ = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--deselect", LOOKS_AT_TEXT]
    try:
        done = subprocess.run(
            [*command, *(["-x"] if stop_early else []), *tests.split()],
            cwd=tree,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return 1, "FAILED the tests did not end in time"
    return done.returncode, done.stdout + done.stderr


def judge(mutation: Mutation) -> Verdict:
    """Mutate a copy and run its tests."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="seckill-mutant-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        path = tree / mutation.file
        text = path.read_text()
        if text.count(mutation.old) != 1:
            return Verdict(mutation, False, "its text does not occur exactly once", 0.0)
        path.write_text(text.replace(mutation.old, mutation.new))
        code, output = run_tests(tree, mutation.tests, stop_early=True)
    failed = re.search(r"^(?:FAILED|ERROR) (?:\S*/)?(\S+|the tests.*)", output, re.MULTILINE)
    # Only a failed test is a verdict: a mutant that cannot even be imported proves nothing.
    noticed = code == 1 and failed is not None
    by = failed[1] if failed and noticed else f"survived (exit {code})"
    return Verdict(mutation, noticed, by, time.monotonic() - began)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("-k", dest="only", default="", help="only mutations whose name contains this")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2)), help="at once (%(default)s)")
    parser.add_argument("--no-baseline", action="store_true", help="do not run the unchanged tests first")
    chosen = parser.parse_args(argv)
    mutations = [each for each in MUTATIONS if chosen.only in each.name]
    console = Console()
    if not chosen.no_baseline:
        with tempfile.TemporaryDirectory(prefix="seckill-mutant-") as folder, console.status("the unchanged tests"):
            copy_tree(Path(folder))
            everything = " ".join(sorted({path for each in mutations for path in each.tests.split()}))
            code, output = run_tests(Path(folder), everything, stop_early=False)
        if code != 0:
            console.print(output[-3000:])
            console.print("[red]the unchanged code fails: mutations would prove nothing[/red]")
            return 1
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    verdicts = []
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(chosen.jobs) as pool:
        task = progress.add_task("mutations", total=len(mutations))
        for verdict in pool.map(judge, mutations):
            verdicts.append(verdict)
            progress.advance(task)
    table = Table("mutation", "file", "noticed by", "s")
    for verdict in verdicts:
        colour = "green" if verdict.noticed else "red"
        table.add_row(
            verdict.mutation.name,
            verdict.mutation.file,
            f"[{colour}]{verdict.by}[/{colour}]",
            f"{verdict.took_s:.0f}",
        )
    console.print(table)
    survived = [verdict for verdict in verdicts if not verdict.noticed]
    console.print(f"{len(verdicts) - len(survived)} of {len(verdicts)} mutations turned the tests red")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())

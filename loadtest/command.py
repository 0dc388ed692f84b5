"""What all benchmarks do around a measurement: options, errors in one line, figures shown and written."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console

from loadtest.errors import LoadtestError
from loadtest.processes import ROOT

RESULTS = ROOT / "loadtest" / "results"

Found = TypeVar("Found")


def read_options(
    parser: argparse.ArgumentParser, argv: list[str] | None, *, quick: Mapping[str, Any] | None = None
) -> argparse.Namespace:
    """Read a command line: what `parser` knows, and where results go.

    With `--quick`, what is not said is as in `quick` instead of the defaults.
    """
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for what was found")
    if quick is not None and parser.parse_known_args(argv)[0].quick:
        parser.set_defaults(**quick)
    return parser.parse_args(argv)


def command(
    run: Callable[[Console], Found],
    *,
    show: Callable[[Found, Console], None],
    write: Callable[[Found], Iterable[Path]],
    broken: Callable[[Found], object],
) -> int:
    """Run a benchmark from the command line; the exit code: 1 when it could not run, or a promise was `broken`."""
    console = Console()
    try:
        found = run(console)
    except (LoadtestError, httpx.HTTPError) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    show(found, console)
    console.print("written:", *write(found))
    return 1 if broken(found) else 0

"""What every benchmark's command does around its measurement: errors as one line, figures shown and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import httpx
from rich.console import Console

from loadtest.errors import LoadtestError

Found = TypeVar("Found")


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

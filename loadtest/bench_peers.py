"""``make bench-peers``: the gateway beside what people would write instead, in one run, with the books checked.

Every server gets the same clicks, one after the other in an order that rotates: the gateway, nginx with Lua, Go
with gin, FastAPI. Each has a Redis of its own with the same settings; the server is pinned to one core, Redis and
the generator to another. Nothing is installed: peers whose packages are missing are left out, and the names of the
packages are told. Exit code 1 if the gateway broke a promise; a peer that oversells is reported.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from loadtest import generators, machine
from loadtest.bench import Bench
from loadtest.command import read_options
from loadtest.errors import LoadtestError
from loadtest.peers import report
from loadtest.peers.goals import FIRST, OURS, goals, target
from loadtest.peers.kinds import KINDS, Kind
from loadtest.peers.rounds import Comparison
from loadtest.peers.stack import SETTINGS, PeerStack
from loadtest.processes import cores, unwind_on_sigterm
from loadtest.scenarios import SCENARIOS, Sizes
from loadtest.stack import LIMITS, Cores, Stack

CONNECTIONS = [16, 64, 256, 1024]
MIXED_SHOPPERS = 20_000
SHARES = [0.25, 0.5, 0.75]
QUICK = {
    "duration_s": 1.0,
    "repetitions": 1,
    "connections": [64],
    "mixed_shoppers": 3_000,
    "shares": [0.5],
    "durability": ["relaxed"],
}


def present(names: list[str], console: Console) -> tuple[list[Kind], dict[str, str]]:
    """The peers that can run, and what to install for the others; says which ones are left out."""
    here, left_out = [], {}
    for kind in (KINDS[name] for name in names):
        missing = kind.missing()
        if missing:
            left_out[kind.title] = kind.install
            text = f"{kind.title} is left out: {', '.join(missing)} not found. To have it: {kind.install}"
            console.print(text, style="yellow", markup=False, soft_wrap=True)
        else:
            here.append(kind)
    return here, left_out


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench_peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round unless told otherwise: does it work?")
    parser.add_argument("--peers", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--duration-s", type=float, default=2.0, help="length of one timed run")
    parser.add_argument("--repetitions", type=int, default=5, help="interleaved rounds")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--durability", nargs="+", choices=("relaxed", "strict"), default=["relaxed", "strict"])
    parser.add_argument(
        "--shares", type=float, nargs="*", default=SHARES, help="open loop at these shares of capacity"
    )
    parser.add_argument("--open-s", type=float, default=5.0, help="length of one open-loop run")
    parser.add_argument("--mixed-shoppers", type=int, default=MIXED_SHOPPERS)
    parser.add_argument("--setting", nargs="+", default=[], metavar="NAME=VALUE", help="SECKILL_* for the gateway")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="measure uncommitted changes too; marks the report"
    )
    return read_options(parser, argv, quick=QUICK)


def _steps(arguments: argparse.Namespace, kinds: list[Kind]) -> int:
    """How many runs there will be."""
    servers = sum(1 + sum(scenario in kind.scenarios for kind in kinds) for scenario in arguments.scenarios)
    rounds = len(arguments.durability) * int(arguments.repetitions)
    return rounds * (servers * len(arguments.connections) + _open_runs(arguments, kinds))


def _open_runs(arguments: argparse.Namespace, kinds: list[Kind]) -> int:
    wanted = "win" in arguments.scenarios and any(kind.name == FIRST for kind in kinds)
    return 2 * len(arguments.shares) if wanted else 0


def _measure(
    arguments: argparse.Namespace, kinds: list[Kind], placed: Cores, folder: Path, console: Console
) -> Comparison:
    extra = dict(each.split("=", 1) for each in arguments.setting)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with ExitStack() as running:
        status = running.enter_context(Progress(*columns, console=console, transient=True))
        bar = status.add_task("starting every server", total=_steps(arguments, kinds))
        stacks = {
            each: running.enter_context(Stack(target(OURS, each), folder, placed, durability=each, extra=extra))
            for each in arguments.durability
        }
        peers = {
            each: [
                running.enter_context(PeerStack(kind, folder, placed, durability=each, secret=stack.secret))
                for kind in kinds
            ]
            for each, stack in stacks.items()
        }

        def step(what: str) -> None:
            status.update(bar, description=what)
            status.advance(bar)

        sizes = Sizes(arguments.duration_s, arguments.mixed_shoppers)
        found = Comparison(placed, sizes, stacks, peers, lambda line: console.print(line, soft_wrap=True), step)
        found.probe()
        for scenario in arguments.scenarios:
            for connections in arguments.connections:
                for repetition in range(arguments.repetitions):
                    found.round(scenario, connections, repetition)
        if _open_runs(arguments, kinds):
            _open_loop(found, arguments)
        for each, stack in stacks.items():
            status.update(bar, description=f"orders of {stack.name}")
            ours = Bench(placed, sizes, console, sold={stack.name: found.sold[each]})
            ours.settle(stack)
            found.breaches[stack.name] += ours.breaches
    return found


def _open_loop(found: Comparison, arguments: argparse.Namespace) -> None:
    for durability in arguments.durability:
        capacity = found.capacity(durability)
        assert capacity is not None
        for repetition in range(arguments.repetitions):
            for share in arguments.shares:
                found.latency_round(durability, share, capacity, repetition, arguments.open_s)


def _versions(kinds: list[Kind]) -> dict[str, str]:
    """What each peer is, in its own words."""
    found = {}
    for name, command in {"nginx_lua": ["nginx", "-v"], "go_gin": ["go", "version"]}.items():
        if any(kind.name == name for kind in kinds) and shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found[name] = (done.stdout or done.stderr).strip()
    if any(kind.name == "fastapi" for kind in kinds):
        for package in ("fastapi", "uvicorn"):
            try:
                found[package] = f"{package} {version(package)}"
            except PackageNotFoundError:
                continue
    return found


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    console = Console()
    kinds, left_out = present(arguments.peers, console)
    if not kinds:
        console.print("[red]there is no peer to compare with: install the packages of one of them[/red]")
        return 2
    placed = Cores(*(cores() or (None, None)))
    try:
        measured_on = machine.describe_for_report(allow_dirty=arguments.allow_dirty)
        with tempfile.TemporaryDirectory(prefix="seckill-peers-") as folder:
            found = _measure(arguments, kinds, placed, Path(folder), console)
    except (LoadtestError, httpx.HTTPError) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    settings = {name: str(value) for name, value in vars(arguments).items()} | LIMITS | SETTINGS
    result = report.PeersReport(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=measured_on,
        versions=_versions(kinds),
        generator=generators.name(),
        settings=settings | {"server_core": str(placed.gateway), "other_core": str(placed.others)},
        durabilities=arguments.durability,
        servers=[OURS, *(kind.name for kind in kinds)],
        left_out=left_out,
        runs=found.runs,
        latencies=found.latencies,
        goals=goals(found.runs, found.latencies, arguments.durability),
        breaches=found.breaches,
        forgotten=found.forgotten,
    )
    report.show(result, console)
    arguments.results.mkdir(parents=True, exist_ok=True)
    console.print(f"written: {report.write(result, arguments.results)}")
    ours = [text for name, faults in found.breaches.items() if name.startswith(f"{OURS}-") for text in faults]
    return 1 if ours else 0


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

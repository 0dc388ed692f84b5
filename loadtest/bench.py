"""``make bench``: how fast, at what cost, and still correct. Prints a table; leaves JSON, a chart and a page.

The gateway runs alone on one core; Redis, the sidecar and the generator share another. Beside every run, in the
same repetition, the same clicks go to a raw ASGI app that answers a constant. The order writer runs after the
measurements, and every offer is then checked from the outside. Exit code 1 if a promise of correctness is broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from loadtest import books, figures, generators, machine, report, writer_speed
from loadtest.command import read_options
from loadtest.deployment import answers
from loadtest.errors import LoadtestError
from loadtest.figures import Run
from loadtest.processes import Server, cores, free_port, unwind_on_sigterm
from loadtest.scenarios import (
    BATCHING,
    MIXED_SHOPPERS,
    SCENARIOS,
    Plan,
    Sizes,
    measure,
    measure_constant,
    new_shoppers,
    prepare,
)
from loadtest.stack import LIMITS, Cores, Stack

MEMORY_SHOPPERS = 1_000_000
MEMORY_STOCK = 100_000
QUICK = {"duration_s": 1.0, "repetitions": 1, "mixed_shoppers": 5_000}


@dataclass(slots=True)
class Bench:
    """One benchmark under way: what was measured and what was found wrong."""

    cores: Cores
    sizes: Sizes
    console: Console
    extra: dict[str, str] = field(default_factory=dict)
    """Settings of the system under test besides `LIMITS`."""

    runs: list[Run] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    catch_up: dict[str, float] = field(default_factory=dict)
    """Orders/s that the writer process wrote after the measurements of a stack, its start included."""

    sold: dict[str, list[tuple[Plan, int]]] = field(default_factory=dict)
    """Per stack: plans that were run, with the wins that the gateway counted."""

    def rounds(
        self,
        scenario: str,
        stacks: list[Stack],
        constant: tuple[str, Server] | None,
        *,
        connections: int,
        times: int,
    ) -> None:
        """Measure one scenario on all targets in turn, `times` times; the order rotates."""
        for repetition in range(times):
            turn = repetition % len(stacks)
            for number, stack in enumerate(stacks[turn:] + stacks[:turn]):
                plan = prepare(scenario, stack, self.sizes, core=self.cores.others)
                run = measure(
                    scenario,
                    stack,
                    plan,
                    connections=connections,
                    repetition=repetition,
                    sizes=self.sizes,
                    core=self.cores.others,
                )
                self._note(run, stack, plan)
                if constant is not None and number == 0:
                    url, server = constant
                    self.runs.append(
                        measure_constant(
                            scenario,
                            url,
                            server,
                            plan,
                            connections=connections,
                            repetition=repetition,
                            sizes=self.sizes,
                            core=self.cores.others,
                        )
                    )
                plan.requests.path.unlink()

    def _note(self, run: Run, stack: Stack, plan: Plan) -> None:
        self.runs.append(run)
        self.sold.setdefault(stack.name, []).append((plan, run.outcomes.get("won", 0)))
        self.console.print(
            f"{run.scenario:9} {run.connections:4} {run.target:10} {run.clicks_per_s:9,.0f}/s"
            f"  gateway {run.gateway_cpu_us:5.1f} µs  Redis {run.redis_cpu_us:5.1f} µs"
            f"  batch {run.batch_mean:5.1f}  {run.outcomes}"
        )
        if run.failed:
            self.breaches.append(f"{run.scenario} on {run.target}: {run.failed} clicks failed at the client")

    def settle(self, stack: Stack) -> None:
        """Let the writer catch up, then hold every offer of a stack, and every order, against the wins."""
        found = books.check(stack, self.sold.get(stack.name, []), orders_max=sys.maxsize)
        self.breaches += found.breaches
        if found.written:
            self.catch_up[stack.name] = found.written / found.took_s


def _constant(folder: Path, placed: Cores, stack: ExitStack) -> tuple[str, Server]:
    port = free_port()
    command = [sys.executable, "-m", "loadtest.peers.constant", str(port)]
    server = Server.start("constant", command, folder=folder, core=placed.gateway)
    stack.callback(server.stop)
    url = f"http://127.0.0.1:{port}"
    server.wait_ready(lambda: answers(url))
    return url, server


def _speed(bench: Bench, folder: Path, arguments: argparse.Namespace, status: Progress) -> None:
    """All scenarios, connections and durabilities, beside the constant app."""
    with ExitStack() as running:
        constant = _constant(folder, bench.cores, running)
        stacks = [
            running.enter_context(Stack(name, folder, bench.cores, durability=name, extra=bench.extra))
            for name in arguments.durability
        ]
        for scenario in arguments.scenarios:
            for connections in arguments.connections:
                status.add_task(f"{scenario}, {connections} connections")
                bench.rounds(scenario, stacks, constant, connections=connections, times=arguments.repetitions)
        for stack in stacks:
            status.add_task(f"orders of {stack.name}")
            bench.settle(stack)


def _batching(bench: Bench, folder: Path, arguments: argparse.Namespace, status: Progress) -> None:
    """What Redis saves by deciding many clicks in one call."""
    status.add_task("batched against one call per click")
    one_by_one = {"SECKILL_BATCH_MAX": "1", "SECKILL_BATCHES_IN_FLIGHT_MAX": "64"}
    with ExitStack() as running:
        stacks = [
            running.enter_context(Stack("batched", folder, bench.cores, durability="relaxed", extra=bench.extra)),
            running.enter_context(
                Stack("unbatched", folder, bench.cores, durability="relaxed", extra=bench.extra | one_by_one)
            ),
        ]
        most = max(arguments.connections)
        bench.rounds(BATCHING, stacks, None, connections=most, times=arguments.repetitions)
        for stack in stacks:
            bench.settle(stack)


def _memory(bench: Bench, folder: Path, shoppers: int, status: Progress) -> tuple[float, float]:
    """Resident MB of a gateway worker before and after so many distinct shoppers, some of them winners."""
    status.add_task(f"memory after {shoppers:,} shoppers")
    with Stack("memory", folder, bench.cores, durability="relaxed", extra=bench.extra) as stack:
        offer = stack.create_offer(min(MEMORY_STOCK, shoppers // 2))
        requests = generators.write_requests(stack.folder / "clicks.bin", offer, new_shoppers(shoppers), stack.mint)
        before = stack.gateway.usage().resident_bytes[0]
        generators.click(
            stack.gateway_url, requests, connections=256, duration_s=0, core=bench.cores.others, until_sent=True
        )
        return before / 1e6, stack.gateway.usage().resident_bytes[0] / 1e6


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything: does it work?")
    parser.add_argument("--duration-s", type=float, default=4.0, help="length of one timed run")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--durability", nargs="+", choices=("relaxed", "strict"), default=["relaxed", "strict"])
    parser.add_argument("--setting", nargs="+", default=[], metavar="NAME=VALUE", help="SECKILL_* for the gateway")
    parser.add_argument("--mixed-shoppers", type=int, default=MIXED_SHOPPERS)
    parser.add_argument("--no-batching", action="store_true", help="leave out batched against one by one")
    parser.add_argument("--no-writer", action="store_true", help="leave out the order writer's own test")
    parser.add_argument("--memory", action="store_true", help="also measure memory after a million shoppers")
    parser.add_argument("--memory-shoppers", type=int, default=MEMORY_SHOPPERS)
    parser.add_argument(
        "--allow-dirty", action="store_true", help="measure uncommitted changes too; marks the report"
    )
    return read_options(parser, argv, quick=QUICK)


def _run(bench: Bench, folder: Path, arguments: argparse.Namespace, measured_on: machine.Machine) -> report.Report:
    memory: tuple[float, float] | None = None
    writer: dict[str, float] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=bench.console, transient=True) as status:
        fsync_us = machine.fsync_us(folder)
        _speed(bench, folder, arguments, status)
        if not arguments.no_batching:
            _batching(bench, folder, arguments, status)
        if not arguments.no_writer:
            status.add_task("order writer, SQLite and PostgreSQL")
            writer = writer_speed.measure(folder)
        if arguments.memory:
            memory = _memory(bench, folder, arguments.memory_shoppers, status)
    return report.Report(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=measured_on,
        generator=generators.name(),
        settings={name: str(value) for name, value in vars(arguments).items()}
        | LIMITS
        | bench.extra
        | {"gateway_core": str(bench.cores.gateway), "other_core": str(bench.cores.others)},
        fsync_us=fsync_us,
        runs=bench.runs,
        rows=figures.rows(bench.runs),
        goals=figures.goals(
            bench.runs,
            writer_orders_per_s=writer,
            resident_mb=memory[1] if memory else None,
        ),
        writer_orders_per_s=writer,
        catch_up_orders_per_s=bench.catch_up,
        memory_mb=memory,
        breaches=bench.breaches,
    )


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    console = Console()
    if generators.name() != "wrk":
        console.print(f"[yellow]generator: {generators.name()}[/yellow]")
    found = cores()
    placed = Cores(*found) if found else Cores(None, None)
    extra = dict(each.split("=", 1) for each in arguments.setting)
    bench = Bench(placed, Sizes(arguments.duration_s, arguments.mixed_shoppers), console, extra)
    try:
        # Before the first run: what is committed while it lasts was not measured.
        measured_on = machine.describe_for_report(allow_dirty=arguments.allow_dirty)
        with tempfile.TemporaryDirectory(prefix="seckill-bench-") as folder:
            result = _run(bench, Path(folder), arguments, measured_on)
    except (LoadtestError, httpx.HTTPError) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    report.show(result, console)
    arguments.results.mkdir(parents=True, exist_ok=True)
    console.print(f"written: {report.write(result, arguments.results)}")
    return 1 if result.breaches else 0


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

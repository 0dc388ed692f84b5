"""``make bench-growth``: what a click costs when there is more of everything. Tables, JSON, charts and a page.

More offers on sale, more shoppers seen, more buyers recorded, more workers: each grown system is measured next to
a small one, in turns, by CPU per click, which also holds on a machine that is busy. Also memory: bytes per winner,
shopper and offer. Exit code 1 if a promise of correctness is broken or something grows faster than its size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtest import books, growth_figures, machine, page
from loadtest.command import command, read_options
from loadtest.growth_axes import Growth, grow_buyers, grow_offers, grow_workers
from loadtest.growth_figures import Point, Row, Verdict
from loadtest.processes import cores, unwind_on_sigterm
from loadtest.scenarios import Sizes
from loadtest.stack import Cores, Stack

LABELS = {
    "offers": "offers on sale",
    "shoppers": "shoppers seen before",
    "buyers": "buyers of the offer before",
    "workers": "workers of the gateway",
}
QUICK = {"duration_s": 1.0, "repetitions": 1, "offers": [1, 20], "buyers": [100, 2_000], "workers": [1, 2]}


@dataclass(frozen=True, slots=True)
class Found:
    """Everything one run of this program found. `memory` is bytes."""

    settings: dict[str, str]
    rows: list[Row]
    verdicts: list[Verdict]
    memory: dict[str, float]
    points: list[Point]
    breaches: list[str]


def tables(found: Found) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """(title, head, rows as text) of every table."""
    costs: list[tuple[str, ...]] = [
        (
            LABELS[row.axis],
            row.series,
            f"{row.size:,}",
            f"{row.gateway_us:.1f}",
            f"{row.redis_us:.1f}",
            f"{row.gateway_ratio:.2f}",
            f"{row.redis_ratio:.2f}",
            f"{row.ratio:.2f}",
            f"{row.batch_mean:.1f}",
            f"{row.clicks_per_s:,.0f}",
        )
        for row in found.rows
    ]
    judged: list[tuple[str, ...]] = [
        (
            LABELS[each.axis],
            each.series,
            f"{each.growth:.2f}",
            "yes" if each.flat else "NO",
            f"{each.slope:.2f}",
            "yes" if each.linear else "NO",
        )
        for each in found.verdicts
    ]
    memory: list[tuple[str, ...]] = [(name, f"{value:,.0f}") for name, value in found.memory.items()]
    head = ("size of", "series", "size", "gateway µs", "Redis µs", "gateway ×", "Redis ×", "both ×", "batch")
    return [
        ("CPU per click; × the small system's, in pairs", (*head, "clicks/s"), costs),
        (
            "Largest against smallest",
            ("size of", "series", "cost ×", "flat", "steepest slope", "at most linear"),
            judged,
        ),
        ("Memory", ("figure", "bytes"), memory),
    ]


def show(found: Found, console: Console) -> None:
    """Print all tables and breaches."""
    for title, head, lines in tables(found):
        table = Table(*head, title=title)
        for line in lines:
            table.add_row(*line)
        console.print(table)
    for breach in found.breaches:
        console.print(f"[red]BROKEN: {breach}[/red]")
    if found.settings["no_books"] == "True":
        console.print("orders were not written and not looked at (--no-books)")
    elif not found.breaches:
        console.print("[green]offers checked from the outside: units, limits and orders agree[/green]")


def write(found: Found, folder: Path) -> list[Path]:
    """Leave JSON, chart and page; their paths."""
    data = machine.publish(found, folder, "growth")
    shown = {axis: label for axis, label in LABELS.items() if any(row.axis == axis for row in found.rows)}
    png = growth_figures.chart(found.points, shown)
    data.with_suffix(".png").write_bytes(png)
    about = machine.describe()
    lines = [f"{about.cpu}, {about.cores} cores, {about.kernel}, {about.python}", f"commit {about.commit}"]
    parts: list[page.Table | page.Image] = [page.Image(png, "CPU per click against size, one panel per kind")]
    parts += [page.Table(head, rows, text_columns=2) for _, head, rows in tables(found)]
    html = page.render("Growth", lines, found.breaches, [page.Section("CPU per click and memory", "", parts)])
    data.with_suffix(".html").write_text(html, encoding="utf-8")
    return [data, data.with_suffix(".png"), data.with_suffix(".html")]


def run(arguments: argparse.Namespace, console: Console) -> Found:
    """All kinds of growth, then the books."""
    placed = Cores(*(cores() or (None, None)))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as status:
        growth = Growth(
            Sizes(arguments.duration_s),
            arguments.connections,
            arguments.repetitions,
            placed.others,
            console.print,
        )
        with ExitStack() as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="seckill-growth-")))

            def start(name: str, workers: int = 1) -> Stack:
                stack = Stack(name, folder, placed, durability=arguments.durability, workers=workers)
                return running.enter_context(stack)

            stacks = [small := start("small")]
            if "offers" in arguments.axes:
                status.add_task(LABELS["offers"])
                stacks.append(start("offers"))
                grow_offers(growth, small, stacks[-1], arguments.offers)
            if "buyers" in arguments.axes:
                status.add_task(f"{LABELS['shoppers']}, {LABELS['buyers']}")
                stacks.append(start("buyers"))
                grow_buyers(growth, small, stacks[-1], arguments.buyers)
            if "workers" in arguments.axes:
                status.add_task(LABELS["workers"])
                many = {count: start(f"w{count}", count) for count in arguments.workers}
                stacks += many.values()
                grow_workers(growth, many)
            if not arguments.no_books:
                for stack in stacks:
                    status.add_task(f"orders of {stack.name}")
                    sold, sampled = growth.sold.get(stack.name, []), growth.sampled.get(stack.name, [])
                    growth.breaches += books.check(stack, sold, sampled).breaches
    rows = growth_figures.rows(growth.points)
    return Found(
        {name: str(value) for name, value in vars(arguments).items()},
        rows,
        growth_figures.verdicts(rows),
        growth.memory,
        growth.points,
        growth.breaches,
    )


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench_growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round with small sizes: does it work?")
    parser.add_argument(
        "--axes", nargs="+", choices=("offers", "buyers", "workers"), default=["offers", "buyers", "workers"]
    )
    parser.add_argument("--offers", type=int, nargs="+", default=[1, 10, 100, 1_000, 10_000])
    parser.add_argument(
        "--buyers", type=int, nargs="+", default=[1, 10_000, 100_000, 1_000_000], help="and shoppers"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--duration-s", type=float, default=2.0, help="length of one timed run")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--connections", type=int, default=128, help="of one worker")
    parser.add_argument("--durability", choices=("relaxed", "strict"), default="strict")
    parser.add_argument("--no-books", action="store_true", help="leave out the orders and their check")
    return read_options(parser, argv, quick=QUICK)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    return command(
        lambda console: run(arguments, console),
        show=show,
        write=lambda found: write(found, arguments.results),
        broken=lambda found: found.breaches or not all(each.linear for each in found.verdicts),
    )


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

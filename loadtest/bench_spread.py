"""``make bench-spread``: how the work of one hot offer spreads over a cluster. Counted, not timed.

Clusters of 1, 2 and 3 primaries, on each of them one offer with as many buckets, and the same clicks. What every
primary has done is read from itself: its calls, its commands and its CPU time. The busiest one is what a sale
outgrows, so its share of all clicks must fall as 1/B. Once with one click per call, where commands count exactly;
once with batches that are always full, as in a sale that is too large for one server; and once with the usual ones,
of which smaller ones go to each of more buckets as long as they have room. Exit code 1 if a promise of correctness
is broken or the busiest primary has more than its share.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtest import books, generators, machine, page
from loadtest.charts import Bars, Panel, draw
from loadtest.cluster_stack import ClusterStack, Work
from loadtest.command import command, read_options
from loadtest.processes import cores, unwind_on_sigterm
from loadtest.scenarios import Plan, new_shoppers
from loadtest.stack import Cores

ONE_BY_ONE = "one click per call"
FULL = "full batches of 16"
BATCHES = "usual batches"
SETTINGS = {ONE_BY_ONE: {"SECKILL_BATCH_MAX": "1"}, FULL: {"SECKILL_BATCH_MAX": "16"}, BATCHES: {}}
CONNECTIONS = {ONE_BY_ONE: 16, FULL: 256, BATCHES: 256}
"""One call after the other is slow on a strict disk, and nobody shall wait so long that they hear `busy`."""
SHOWN_MAX = 10
"""Breaches that are printed."""
SHARE_MAX = 1.15
"""So many times its equal share the busiest primary may have of the commands."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What one hot offer cost each primary of one cluster, per click of the whole sale that Redis decided."""

    series: str
    primaries: int
    clicks: int
    commands: list[int]
    scripts: list[int]
    cpu_us: list[float]

    @property
    def busiest_commands(self) -> float:
        """Commands per click of the primary that has most."""
        return max(self.commands) / self.clicks

    @property
    def busiest_cpu_us(self) -> float:
        """CPU per click of the primary that has most, µs."""
        return max(self.cpu_us)

    @property
    def share(self) -> float:
        """The busiest primary's share of all commands."""
        return max(self.commands) / sum(self.commands)


@dataclass(frozen=True, slots=True)
class Found:
    """Everything one run of this program found."""

    settings: dict[str, str]
    rows: list[Spread]
    breaches: list[str]


def spread(series: str, clicks: int, work: list[Work]) -> Spread:
    """The figures of one cluster."""
    return Spread(
        series,
        len(work),
        clicks,
        [each.commands for each in work],
        [each.scripts for each in work],
        [1e6 * each.cpu_s / clicks for each in work],
    )


def breaches_of(rows: list[Spread]) -> list[str]:
    """Clusters whose busiest primary has clearly more than its share, where every call has as many clicks."""
    return [
        f"{row.primaries} primaries: the busiest has {row.share:.0%} of all commands"
        for row in rows
        if row.series != BATCHES and row.share * row.primaries > SHARE_MAX
    ]


def lines(rows: list[Spread]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of the table."""
    head = ("series", "primaries", "clicks", "commands/click", "busiest", "its share", "CPU µs/click", "busiest")
    return head, [
        (
            row.series,
            str(row.primaries),
            f"{row.clicks:,}",
            f"{sum(row.commands) / row.clicks:.2f}",
            f"{row.busiest_commands:.2f}",
            f"{row.share:.0%}",
            f"{sum(row.cpu_us):.1f}",
            f"{row.busiest_cpu_us:.1f}",
        )
        for row in rows
    ]


def chart(rows: list[Spread]) -> bytes:
    """The busiest primary against the number of primaries, as a PNG."""
    series = list(dict.fromkeys(row.series for row in rows))
    counts = sorted({row.primaries for row in rows})
    groups = [f"{count} primaries" if count > 1 else "1 primary" for count in counts]

    def bars(value: str) -> list[Bars]:
        return [
            Bars(
                name,
                [
                    [getattr(row, value) for row in rows if (row.series, row.primaries) == (name, count)]
                    for count in counts
                ],
                hue,
            )
            for hue, name in enumerate(series)
        ]

    commands = Panel("Busiest primary: commands", "commands per click", groups, bars("busiest_commands"))
    cpu = Panel("Busiest primary: CPU", "µs per click", groups, bars("busiest_cpu_us"))
    return draw([commands, cpu], columns=2)


def measure(stack: ClusterStack, series: str, clicks: int, core: int | None) -> tuple[Spread, Plan]:
    """Sell one offer that everybody wants, and read what every primary has done for it."""
    # Twice the stock, so that no bucket has to ask another one for units.
    offer = stack.create_offer(2 * clicks)
    requests = generators.write_requests(stack.folder / "clicks.bin", offer, new_shoppers(clicks), stack.mint)
    plan = Plan(offer, 2 * clicks, requests)
    earlier, before = stack.counters(), stack.work()
    generators.click(
        stack.gateway_url, requests, connections=CONNECTIONS[series], duration_s=1, core=core, until_sent=True
    )
    decided = stack.counters().since(earlier).batch_clicks
    work = [now.since(then) for now, then in zip(stack.work(), before, strict=True)]
    return spread(series, decided, work), plan


def run(arguments: argparse.Namespace, console: Console) -> Found:
    """Every cluster, then its books."""
    placed = Cores(*(cores() or (None, None)))
    rows: list[Spread] = []
    breaches: list[str] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True) as status,
        tempfile.TemporaryDirectory(prefix="seckill-spread-") as folder,
    ):
        for series, extra in SETTINGS.items():
            for primaries in arguments.primaries:
                status.add_task(f"{primaries} primaries, {series}")
                name = f"{series[0]}{primaries}"
                with ClusterStack(
                    name,
                    Path(folder),
                    placed,
                    primaries=primaries,
                    buckets=primaries,
                    durability=arguments.durability,
                    extra=extra,
                ) as stack:
                    found, plan = measure(stack, series, arguments.clicks, placed.others)
                    rows.append(found)
                    if not arguments.no_books:
                        won = stack.counters().outcomes.get("won", 0)
                        breaches += books.check(stack, [(plan, won)], gaps=primaries > 1).breaches
    settings = {name: str(value) for name, value in vars(arguments).items()}
    return Found(settings, rows, breaches + breaches_of(rows))


def show(found: Found, console: Console) -> None:
    """Print the table and the breaches."""
    head, body = lines(found.rows)
    table = Table(*head, title="One hot offer on so many primaries, with as many buckets")
    for line in body:
        table.add_row(*line)
    console.print(table)
    for breach in found.breaches[:SHOWN_MAX]:
        console.print(f"[red]BROKEN: {breach}[/red]")


def write(found: Found, folder: Path) -> list[Path]:
    """Leave JSON, chart and page; their paths."""
    data = machine.publish(found, folder, "spread")
    png = chart(found.rows)
    data.with_suffix(".png").write_bytes(png)
    about = machine.describe()
    head, body = lines(found.rows)
    parts: list[page.Table | page.Image] = [page.Image(png, "the busiest primary against the number of primaries")]
    parts.append(page.Table(head, body, text_columns=1))
    says = [f"{about.cpu}, {about.cores} cores, {about.kernel}, {about.python}", f"commit {about.commit}"]
    html = page.render("Spread", says, found.breaches, [page.Section("One hot offer", "", parts)])
    data.with_suffix(".html").write_text(html, encoding="utf-8")
    return [data, data.with_suffix(".png"), data.with_suffix(".html")]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench_spread", description=__doc__)
    parser.add_argument("--primaries", type=int, nargs="+", choices=(1, 2, 3, 4, 6, 12), default=[1, 2, 3])
    parser.add_argument("--clicks", type=int, default=60_000, help="on each cluster, each of a new shopper")
    parser.add_argument("--durability", choices=("relaxed", "strict"), default="strict")
    parser.add_argument("--no-books", action="store_true", help="leave out the orders and their check")
    return read_options(parser, argv)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    return command(
        lambda console: run(arguments, console),
        show=show,
        write=lambda found: write(found, arguments.results),
        broken=lambda found: found.breaches,
    )


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

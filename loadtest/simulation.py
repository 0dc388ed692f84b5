"""``python -m loadtest.simulation``: how much hardware a sale needs, from what one click costs.

Without options it prints the plan for a million clicks per second; `--check` holds the model against measured
points, `--measure` measures costs and points again on this machine, `--chart FILE` draws model beside measured.
The costs and their sources are in `loadtest/capacity.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console
from rich.table import Table

from loadtest import capacity_points, costs
from loadtest.charts import Curves, Line, draw
from loadtest.costs import Costs, Measured
from loadtest.errors import LoadtestError
from loadtest.planning import SHARE_MAX, Check, Plan, check, plan
from loadtest.processes import unwind_on_sigterm
from loadtest.queueing import Outcome

RATES = (10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
ERROR_MAX = 0.25
"""The model is off by at most this part of the measured clicks/s, for the middle point of all."""


def cost_table(values: Costs, data: dict[str, dict[str, dict[str, str]]]) -> Table:
    """Every cost with its unit and source."""
    table = Table("cost", "value", "unit", "source", title="What one click costs")
    for name, each in data["costs"].items():
        table.add_row(name, f"{getattr(values, name):,.1f}", each["unit"], each["source"])
    return table


def plan_table(found: Sequence[Plan]) -> Table:
    """What is needed, one column per rate."""
    table = Table("needed", *(f"{each.clicks_per_s:,.0f}/s" for each in found), title="One hot offer, strict")

    def row(name: str, *cells: str) -> None:
        table.add_row(name, *cells)

    row("gateway workers (cores), every click wins", *(f"{each.workers_winning:,}" for each in found))
    row("gateway workers (cores), sold out", *(f"{each.workers_sold_out:,}" for each in found))
    row(
        "buckets, each on a Redis primary of its own",
        *(str(each.chosen.primaries) if each.chosen else "more than 12" for each in found),
    )
    for number, _ in enumerate(found[0].trials):
        name = f"  a primary's core, of {found[0].trials[number].primaries}, if batches are full"
        row(name, *(_share(each.trials[number].full_share) for each in found))
    row("primaries if many offers share the clicks", *(str(each.primaries_for_all) for each in found))
    row("busiest primary's core with small batches", *(_of_chosen(each, "redis_share", "{:.0%}") for each in found))
    row("gateway workers' cores", *(_of_chosen(each, "gateway_share", "{:.0%}") for each in found))
    row("clicks per script call", *(_of_chosen(each, "batch_mean", "{:.1f}") for each in found))
    row("click to answer, p50 / p99, ms", *(_latency(each) for each in found))
    row("file syncs per second and primary", *(_of_chosen(each, "syncs_per_s", "{:,.0f}") for each in found))
    row("units on sale", *(f"{each.stock:,}" for each in found))
    row("sold after, s", *(f"{each.seconds_of_stock:,.1f}" for each in found))
    row("order writers, all written a minute later", *(str(each.writers) for each in found))
    row("network to the gateways, Gbit/s", *(f"{8 * each.network_in / 1e9:.2f}" for each in found))
    row("network from the gateways, Gbit/s", *(f"{8 * each.network_out / 1e9:.2f}" for each in found))
    row("network to and from Redis, Gbit/s", *(f"{8 * each.redis_network / 1e9:.2f}" for each in found))
    row("append-only files, MB/s", *(f"{each.disk / 1e6:,.0f}" for each in found))
    row("Redis memory of the winners, GB", *(f"{each.redis_memory / 1e9:,.1f}" for each in found))
    return table


def _share(share: float) -> str:
    text = f"{share:.0%}"
    return f"[green]{text}[/green]" if share <= SHARE_MAX else f"[red]{text}[/red]"


def _of_chosen(found: Plan, name: str, form: str) -> str:
    return form.format(getattr(found.chosen.outcome, name)) if found.chosen else "-"


def _latency(found: Plan) -> str:
    if found.chosen is None or found.chosen.outcome is None:
        return "-"
    return f"{found.chosen.outcome.p50_us / 1000:.1f} / {found.chosen.outcome.p99_us / 1000:.1f}"


def check_table(found: Sequence[Check]) -> Table:
    """Model beside measured."""
    table = Table(title="Model beside measured: win path, closed loop; error = model / measured - 1")
    for name in ("durability", "connections", "clicks/s", "model", "error", "batch", "model", "error"):
        table.add_column(name, justify="right")
    for name in ("p50 ms", "model", "error", "p99 ms", "model"):
        table.add_column(name, justify="right")
    for each in found:
        point, model, errors = each.point, each.model, each.errors
        table.add_row(
            point.durability,
            f"{point.connections:,}",
            f"{point.clicks_per_s:,.0f}",
            f"{model.clicks_per_s:,.0f}",
            f"{errors['clicks/s']:+.0%}",
            f"{point.batch_mean:.1f}",
            f"{model.batch_mean:.1f}",
            f"{errors['batch']:+.0%}",
            f"{point.p50_us / 1000:.1f}",
            f"{model.p50_us / 1000:.1f}",
            f"{errors['p50']:+.0%}",
            f"{point.p99_us / 1000:.1f}",
            f"{model.p99_us / 1000:.1f}",
        )
    return table


def middle_error(found: Sequence[Check], figure: str) -> float:
    """Median over all points of how far the model is off, as a part of what was measured."""
    return median(abs(each.errors[figure]) for each in found)


FIGURES: dict[str, tuple[str, Callable[[Measured], float], Callable[[Outcome], float]]] = {
    "Rate": ("clicks per second", lambda point: point.clicks_per_s, lambda model: model.clicks_per_s),
    "Batches": ("clicks per script call", lambda point: point.batch_mean, lambda model: model.batch_mean),
    "Latency": ("median, ms", lambda point: point.p50_us / 1000, lambda model: model.p50_us / 1000),
}


def chart(found: Sequence[Check]) -> bytes:
    """A PNG: clicks/s, batch and p50 against connections, measured and by the model."""
    panels = []
    for title, (unit, of_point, of_model) in FIGURES.items():
        lines = []
        for number, durability in enumerate(dict.fromkeys(each.point.durability for each in found)):
            chosen = [each for each in found if each.point.durability == durability]
            x = [each.point.connections for each in chosen]
            measured, model = [[of_point(c.point)] for c in chosen], [[of_model(c.model)] for c in chosen]
            lines.append(Line(f"measured, {durability}", x, measured, 2 * number))
            lines.append(Line(f"model, {durability}", x, model, 2 * number + 1))
        panels.append(Curves(title, unit, "connections", lines, x_log=2))
    return draw(panels, columns=3)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.simulation", description=__doc__)
    parser.add_argument("--clicks-per-s", type=float, nargs="+", default=[1_000_000])
    parser.add_argument("--scales", action="store_true", help=f"plans for {RATES[0]:,} to {RATES[-1]:,} clicks/s")
    parser.add_argument("--stock", type=int, default=1_000_000, help="units of the hot offer")
    parser.add_argument("--check", action="store_true", help="hold the model against the measured points")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="with --check: draw it as a PNG")
    parser.add_argument("--measure", action="store_true", help="measure costs and points again, on this machine")
    parser.add_argument("--duration-s", type=float, default=2.0, help="of one measured run")
    parser.add_argument("--repetitions", type=int, default=5, help="of the measured runs")
    parser.add_argument("--costs", type=Path, default=costs.PATH, help="the file of costs and points")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; 1 if the model or a promise of correctness does not hold."""
    arguments = _arguments(argv)
    console = Console()
    breaches: list[str] = []
    if arguments.measure:
        try:
            breaches = capacity_points.measure_all(
                arguments.duration_s, arguments.repetitions, console, arguments.costs
            )
        except (LoadtestError, httpx.HTTPError) as error:
            console.print(f"[red]{error}[/red]")
            return 1
        for breach in breaches:
            console.print(f"[red]BROKEN: {breach}[/red]")
        console.print(f"written: {arguments.costs}")
    values, points, data = costs.read(arguments.costs)
    if arguments.check or arguments.measure:
        found = check(points, values)
        console.print(check_table(found))
        off = middle_error(found, "clicks/s")
        console.print(
            f"off by (median): {off:.0%} in clicks/s, {middle_error(found, 'batch'):.0%} in clicks per call,"
            f" {middle_error(found, 'p50'):.0%} in median latency; at most {ERROR_MAX:.0%} wanted in clicks/s"
        )
        if arguments.chart:
            arguments.chart.write_bytes(chart(found))
        return 1 if breaches or off > ERROR_MAX else 0
    console.print(cost_table(values, data))
    rates = RATES if arguments.scales else arguments.clicks_per_s
    console.print(plan_table([plan(rate, arguments.stock, values) for rate in rates]))
    return 0


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

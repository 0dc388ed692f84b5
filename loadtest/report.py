"""A benchmark's results as a table, as JSON, as a chart, and as one page that holds them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from loadtest import charts, page
from loadtest.charts import Bars, Panel
from loadtest.figures import FULL_CORE_SHARE, Goal, Row, Run, chosen
from loadtest.machine import Machine
from loadtest.page import Image, Section
from loadtest.scenarios import BATCHING

COLUMNS = (
    "scenario",
    "conn.",
    "target",
    "clicks/s",
    "of constant",
    "by CPU",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "gateway µs",
    "Redis µs",
    "batch",
    "generator CPU",
    "its core",
)
LEFT_COLUMNS = frozenset({"scenario", "target"})
GOAL_COLUMNS = ("figure", "measured", "wanted", "reached")
MOODS = {"reached": "yes", "NOT reached": "no", "not measured": "faint"}
HUES = {"relaxed": 0, "strict": 2, "constant": 4, "batched": 3, "unbatched": 1}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one benchmark found. CPU is µs per click; memory is MB before and after."""

    when: str
    machine: Machine
    generator: str
    settings: dict[str, str]
    fsync_us: float
    runs: list[Run]
    rows: list[Row]
    goals: list[Goal]
    writer_orders_per_s: dict[str, float]
    catch_up_orders_per_s: dict[str, float]
    memory_mb: tuple[float, float] | None
    breaches: list[str]


def cells(row: Row) -> tuple[str, ...]:
    """One row as text, in the order of `COLUMNS`."""
    return (
        row.scenario,
        str(row.connections),
        row.target,
        f"{row.clicks_per_s:,.0f}",
        "" if row.of_constant is None else f"{row.of_constant:.2f}",
        "" if row.of_constant_by_cpu is None else f"{row.of_constant_by_cpu:.2f}",
        f"{row.p50_us / 1000:.1f}",
        f"{row.p99_us / 1000:.1f}",
        f"{row.p999_us / 1000:.1f}",
        f"{row.gateway_cpu_us:.1f}",
        f"{row.redis_cpu_us:.1f}",
        f"{row.batch_mean:.1f}" if row.batch_mean else "",
        f"{row.generator_cpu_share:.0%}",
        core_cell(row.other_core_share),
    )


def core_cell(share: float) -> str:
    """How much of a core was used, marked when it was all."""
    return f"{share:.0%}{' full' if share >= FULL_CORE_SHARE else ''}"


def goal_cells(goal: Goal) -> tuple[str, str, str, str]:
    """One promised figure as text: name, value, what was wanted, whether it was reached."""
    value = "not measured" if goal.value is None else f"{goal.value:,.2f}"
    wanted = f"{'≥' if goal.at_least else '≤'} {goal.wanted:,g}"
    reached = f"undecided: {goal.doubt}" if goal.doubt else "reached"
    return goal.name, value, wanted, {None: "", True: reached, False: "NOT reached"}[goal.reached]


def about_machine(found: Machine) -> list[str]:
    """Where it was measured: hardware, software, commit."""
    commit = found.commit or "no commit"
    return [
        f"{found.cpu}, {found.cores} cores, {found.kernel}, {found.python}",
        f"{found.redis}; commit {commit}{' (dirty)' if found.dirty else ''}",
    ]


def warnings(machine: Machine, runs: Sequence[Run]) -> list[str]:
    """What weakens the figures."""
    lines = []
    if machine.dirty:
        lines.append("Measured on a tree with uncommitted changes: these figures belong to no commit.")
    waited = sum(run.kept_waiting for run in runs)
    if waited:
        lines.append(
            f"In {waited} of {len(runs)} runs neither core was full, although clicks were waiting: other programs"
            " used the machine. Trust CPU per click, and neither clicks per second nor latencies."
        )
    full = dict.fromkeys(
        f"{run.scenario} {run.connections} {run.target}"
        for run in runs
        if run.other_core_share >= FULL_CORE_SHARE and run.server_core_share < FULL_CORE_SHARE
    )
    if full:
        lines.append(
            "Here the core of generator and Redis was full before the server's was, in at least one run, so the"
            f" server could do more than is shown: {', '.join(full)}."
        )
    return lines


def notes(found: Report) -> list[str]:
    """What to know beside the table."""
    lines = [
        *about_machine(found.machine),
        f"generator: {found.generator}; closed loop, latencies as clients saw them",
        f"an append of 4 KiB is on this disk after {found.fsync_us:,.0f} µs (median)",
    ]
    lines += [
        f"writer process catching up with {name}: {rate:,.0f} orders/s, its start included"
        for name, rate in found.catch_up_orders_per_s.items()
    ]
    if found.memory_mb:
        before, after = found.memory_mb
        shoppers = int(found.settings["memory_shoppers"])
        lines.append(f"gateway worker: {before:.0f} MB before, {after:.0f} MB after {shoppers:,} shoppers")
    return lines


def show(found: Report, console: Console) -> None:
    """Print tables, notes and breaches."""
    show_tables(console, COLUMNS, [cells(row) for row in found.rows], found.goals)
    console.print(*notes(found), sep="\n")
    console.print(*(f"[yellow]{text}[/yellow]" for text in warnings(found.machine, found.runs)), sep="\n")
    if found.breaches:
        console.print(*(f"[red]BROKEN: {text}[/red]" for text in found.breaches), sep="\n")
    else:
        console.print("[green]every offer checked from the outside: units, limits and orders agree[/green]")


def show_tables(
    console: Console, columns: Sequence[str], lines: Sequence[Sequence[str]], goals: Sequence[Goal]
) -> None:
    """Print the figures of all runs and the promised ones."""
    speed = Table(title="Medians of interleaved runs; CPU per click")
    for name in columns:
        speed.add_column(name, justify="left" if name in LEFT_COLUMNS else "right")
    for line in lines:
        speed.add_row(*line)
    promised = Table(title="Promised figures")
    for name in GOAL_COLUMNS:
        promised.add_column(name)
    colours = {"reached": "green", "NOT reached": "red"}
    for goal in goals:
        *told, reached = goal_cells(goal)
        promised.add_row(*told, reached, style=colours.get(reached, "dim"))
    console.print(speed, promised, sep="\n")


def chart(found: Report) -> bytes:
    """A PNG: clicks/s and CPU per click of every target, by scenario and connections."""
    speed = [run for run in found.runs if run.scenario != BATCHING]
    batching = [run for run in found.runs if run.scenario == BATCHING]
    panels = []
    if speed:
        panels.append(_panel("Clicks per second", "clicks/s", speed, lambda run: run.clicks_per_s))
    for title, runs in (
        ("CPU per click, server and Redis; Redis is the darker part", speed),
        ("CPU per click, batched and one script call per click; Redis is the darker part", batching),
    ):
        if runs:
            together = _panel(title, "µs", runs, lambda run: run.gateway_cpu_us + run.redis_cpu_us, redis=True)
            panels.append(together)
    return charts.draw(panels)


def _panel(title: str, unit: str, runs: Sequence[Run], of: Callable[[Run], float], *, redis: bool = False) -> Panel:
    places = list(dict.fromkeys((run.scenario, run.connections) for run in runs))
    groups = [f"{scenario.replace('_', ' ')}\n{connections}" for scenario, connections in places]

    def values(name: str, of: Callable[[Run], float]) -> list[list[float]]:
        return [[of(run) for run in chosen(runs, *place, name)] for place in places]

    series = [
        Bars(name, values(name, of), HUES.get(name, 5), values(name, lambda run: run.redis_cpu_us) if redis else ())
        for name in dict.fromkeys(run.target for run in runs)
    ]
    return Panel(title, unit, groups, series)


def invariants(breaches: Sequence[str], held: str) -> Section:
    """What was checked after the runs, broken promises first."""
    lines = [f"BROKEN: {text}" for text in breaches] or [held]
    return Section("Invariants", parts=[lines])


def settings_section(settings: dict[str, str]) -> Section:
    """Everything that was chosen, folded away."""
    rows = list(settings.items())
    return Section("Settings", parts=[page.Table(("setting", "value"), rows, text_columns=2)], folded=True)


def goals_section(goals: Sequence[Goal]) -> Section:
    """The promised figures, missed ones as plain as the others."""
    rows = [goal_cells(goal) for goal in goals]
    return Section("Promised figures", parts=[page.Table(GOAL_COLUMNS, rows, moods=MOODS)])


def whole_page(found: Report, png: bytes) -> str:
    """One HTML page with chart, tables and notes, and nothing to load from elsewhere."""
    text = "Bars are medians of all runs, whiskers the slowest and the fastest of them."
    held = "Every offer was checked from the outside after the runs: units, limits and orders agree."
    table = page.Table(COLUMNS, [cells(row) for row in found.rows], text_columns=3)
    sections = [
        Section("Speed and cost", text, [Image(png, "Clicks per second and CPU per click")]),
        goals_section(found.goals),
        Section("All figures", "Medians of interleaved runs.", [table]),
        invariants(found.breaches, held),
        settings_section(found.settings),
    ]
    about = [f"Measured {found.when}", *notes(found)]
    return page.render("Seckill benchmark", about, warnings(found.machine, found.runs), sections)


def stem(kind: str, when: str, machine: Machine) -> str:
    """The name of a report's files, without ending."""
    return f"{kind}-{when.replace(':', '').replace('+0000', 'Z')}-{machine.commit or 'no-commit'}"


def write(found: Report, folder: Path) -> Path:
    """Write JSON, chart and page; the path of the page."""
    name = folder / stem("bench", found.when, found.machine)
    png = chart(found)
    name.with_suffix(".json").write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2))
    name.with_suffix(".png").write_bytes(png)
    path = name.with_suffix(".html")
    path.write_text(whole_page(found, png), encoding="utf-8")
    return path

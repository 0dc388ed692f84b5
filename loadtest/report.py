"""A benchmark's results as a table, as JSON, as a chart, and as one page that holds them all."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from loadtest.figures import Goal, Row, Run
from loadtest.machine import Machine

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
)
LEFT_COLUMNS = frozenset({"scenario", "target"})


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
    )


def goal_cells(goal: Goal) -> tuple[str, str, str, str]:
    """One promised figure as text: name, value, what was wanted, whether it was reached."""
    value = "not measured" if goal.value is None else f"{goal.value:,.2f}"
    wanted = f"{'≥' if goal.at_least else '≤'} {goal.wanted:,g}"
    return goal.name, value, wanted, {None: "", True: "yes", False: "NO"}[goal.reached]


def notes(found: Report) -> list[str]:
    """What to know beside the table."""
    lines = [
        f"{found.machine.cpu}, {found.machine.cores} cores, {found.machine.kernel}, {found.machine.python}",
        f"{found.machine.redis}; commit {found.machine.commit}{' (dirty)' if found.machine.dirty else ''}",
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
    speed = Table(title="Medians of interleaved runs; CPU per click")
    for name in COLUMNS:
        speed.add_column(name, justify="left" if name in LEFT_COLUMNS else "right")
    for row in found.rows:
        speed.add_row(*cells(row))
    promised = Table(title="Promised figures")
    for name in ("figure", "measured", "wanted", "reached"):
        promised.add_column(name)
    for goal in found.goals:
        promised.add_row(*goal_cells(goal))
    console.print(speed, promised, *notes(found), sep="\n")
    if found.breaches:
        console.print(*(f"[red]BROKEN: {text}[/red]" for text in found.breaches), sep="\n")
    else:
        console.print("[green]every offer checked from the outside: units, limits and orders agree[/green]")


def chart(found: Report) -> bytes:
    """A PNG: clicks/s and CPU per click of every row."""
    names = [f"{row.scenario}\n{row.connections} · {row.target}" for row in found.rows]
    places = range(len(names))
    figure = Figure(figsize=(max(8, len(names) * 0.75), 9), layout="constrained")
    above, below = figure.subplots(2, 1)
    colours = {"constant": "#9aa0a6", "relaxed": "#1a73e8", "strict": "#188038"}
    above.bar(
        places,
        [row.clicks_per_s for row in found.rows],
        color=[colours.get(r.target, "#e8710a") for r in found.rows],
    )
    above.set_ylabel("clicks per second")
    gateway = [row.gateway_cpu_us for row in found.rows]
    below.bar(places, gateway, label="gateway", color="#1a73e8")
    below.bar(places, [row.redis_cpu_us for row in found.rows], bottom=gateway, label="Redis", color="#d93025")
    below.set_ylabel("CPU per click, µs")
    below.legend()
    for axes in (above, below):
        axes.set_xticks(places, names, fontsize=7, rotation=45, ha="right")
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    return image.getvalue()


def page(found: Report, png: bytes) -> str:
    """One HTML page with chart, tables and notes, and nothing to load from elsewhere."""
    tables = _table(COLUMNS, [cells(row) for row in found.rows])
    tables += _table(("figure", "measured", "wanted", "reached"), [goal_cells(goal) for goal in found.goals])
    remarks = "".join(f"<li>{html.escape(line)}</li>" for line in [*notes(found), *found.breaches])
    image = base64.b64encode(png).decode()
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Seckill benchmark</title>'
        "<style>body{font:15px system-ui;margin:2em;max-width:80em}table{border-collapse:collapse;margin:1em 0}"
        "td,th{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right}img{max-width:100%}</style>"
        f"<h1>Seckill benchmark, {html.escape(found.when)}</h1>"
        f'<img alt="Clicks per second and CPU per click" src="data:image/png;base64,{image}">'
        f"{tables}<ul>{remarks}</ul></html>"
    )


def _table(names: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f"<table><tr>{head}</tr>{body}</table>"


def write(found: Report, folder: Path) -> Path:
    """Write JSON, chart and page; the path of the page."""
    stem = (
        folder / f"bench-{found.when.replace(':', '').replace('+0000', 'Z')}-{found.machine.commit or 'no-commit'}"
    )
    png = chart(found)
    stem.with_suffix(".json").write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2))
    stem.with_suffix(".png").write_bytes(png)
    path = stem.with_suffix(".html")
    path.write_text(page(found, png), encoding="utf-8")
    return path

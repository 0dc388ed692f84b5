"""The comparison's report: a page with charts, the pictures by themselves, and the raw figures as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import orjson
from rich.console import Console

from loadtest import charts, page, report
from loadtest.charts import Bars, Curves, Line, Panel
from loadtest.figures import Goal, Run, chosen, clicks_per_cpu_s, pair_ratios, rate
from loadtest.machine import Machine
from loadtest.page import Image, Section
from loadtest.peers.goals import FASTAPI, FIRST, FLAG, OURS, Latency, redis_cpu, target, together

COLUMNS = (
    "scenario",
    "conn.",
    "server",
    "clicks/s",
    "ours is",
    "of pairs",
    "by CPU",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "server µs",
    "Redis µs",
    "together",
    "batch",
    "server's core",
    "other core",
    "of it generator",
)
LATENCY_COLUMNS = (
    "server",
    "of capacity",
    "clicks/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "p99 of all runs",
    "generator late, ms",
    "generator CPU",
)
TITLES = {
    OURS: "this gateway",
    FIRST: "nginx + Lua",
    FLAG: "nginx + Lua, flag",
    "go_gin": "Go, gin + redigo",
    FASTAPI: "FastAPI + redis-py",
}
HUES = {OURS: 0, FIRST: 1, FLAG: 5, "go_gin": 2, FASTAPI: 3}
DIFFERENCES = (
    "All: check an HS256 token (signature, algorithm, subject, expiry), limit clicks per shopper, look who has won"
    " before, take a unit, remember the buyer, append the winner to a stream, answer in JSON with equal statuses."
    " Peers make one script call per click. They look for winners in Redis before they say sold_out; the gateway"
    " looks in its exact copy of them.",
    "nginx + Lua with flag: repeats sold_out for 200 ms without looking for winners, as many do. It is quick, and"
    " whoever won, lost the reply and asks again hears sold_out. How many did, in the mixed runs, is told above.",
    "Only the gateway: signs a receipt for every ticket; limits clicks per address; looks for winners"
    " before it repeats a refusal; refuses what comes after its deadline; sells only on a Redis that was compared"
    " with the ledger; bounds its backlog; serves metrics. None of that is switched off here.",
    "nginx and Go: one worker, one processor, a kept Redis connection for every client. The keyed hash is prepared"
    " once; nginx has OpenSSL's by LuaJIT's foreign functions, and keeps what it knows in plain Lua tables.",
    "FastAPI: PyJWT and redis-py with hiredis under uvicorn, with uvloop and httptools. The mixed scenario is left"
    " out for it: it sends a fixed number of clicks, which would take minutes.",
)


@dataclass(frozen=True, slots=True)
class PeersReport:
    """Everything one comparison found. CPU is µs per click, latencies are µs."""

    when: str
    machine: Machine
    versions: dict[str, str]
    generator: str
    settings: dict[str, str]
    durabilities: list[str]
    servers: list[str]
    """Names without durability, ours first."""

    left_out: dict[str, str]
    """Peers that could not run, and what to install for them."""

    runs: list[Run]
    latencies: list[Latency]
    goals: list[Goal]
    breaches: dict[str, list[str]]
    forgotten: dict[str, int]


def lines(found: PeersReport) -> list[tuple[str, ...]]:
    """One row of text per scenario, connections and server, in the order of `COLUMNS`."""
    places = dict.fromkeys((run.scenario, run.connections, run.target) for run in found.runs)
    return [_line(found.runs, *place) for place in places]


def _line(runs: list[Run], scenario: str, connections: int, name: str) -> tuple[str, ...]:
    these = chosen(runs, scenario, connections, name)

    def middle(values: Sequence[float]) -> float:
        return median(values)

    server, _, durability = name.rpartition("-")
    ratios: list[float] = []
    by_cpu: list[float] = []
    if server != OURS:
        ratios, by_cpu = (
            pair_ratios(runs, scenario, connections, target(OURS, durability), name, of)
            for of in (rate, clicks_per_cpu_s)
        )
    batch = middle([run.batch_mean for run in these])
    return (
        scenario,
        str(connections),
        name,
        f"{middle([run.clicks_per_s for run in these]):,.0f}",
        f"{median(ratios):.2f} ×" if ratios else "",
        f"{min(ratios):.2f}–{max(ratios):.2f}" if ratios else "",
        f"{median(by_cpu):.2f} ×" if by_cpu else "",
        *(f"{middle([getattr(run, of) for run in these]) / 1000:.1f}" for of in ("p50_us", "p99_us", "p999_us")),
        f"{middle([run.gateway_cpu_us for run in these]):.1f}",
        f"{middle([run.redis_cpu_us for run in these]):.1f}",
        f"{middle([together(run) for run in these]):.1f}",
        f"{batch:.0f}" if batch else ("1" if server != OURS else ""),
        f"{middle([run.server_core_share for run in these]):.0%}",
        report.core_cell(middle([run.other_core_share for run in these])),
        f"{middle([run.generator_cpu_share for run in these]):.0%}",
    )


def latency_lines(found: PeersReport) -> list[tuple[str, ...]]:
    """One row of text per rate and server, in the order of `LATENCY_COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for name, share in dict.fromkeys((each.target, each.share) for each in found.latencies):
        these = [each for each in found.latencies if (each.target, each.share) == (name, share)]
        p99 = [each.p99_us / 1000 for each in these]
        rows.append(
            (
                name,
                f"{share:.0%}",
                f"{these[0].rate_per_s:,.0f}",
                f"{median(each.p50_us for each in these) / 1000:.1f}",
                f"{median(p99):.1f}",
                f"{median(each.p999_us for each in these) / 1000:.1f}",
                f"{min(p99):.1f}–{max(p99):.1f}",
                f"{max(each.late_ms for each in these):.1f}",
                f"{median(each.generator_cpu_share for each in these):.0%}",
            )
        )
    return rows


def invariants(found: PeersReport) -> list[str]:
    """One sentence per server about what was checked, broken promises first."""
    held = []
    broken = []
    for name, faults in found.breaches.items():
        broken += [f"BROKEN: {name}: {text}" for text in faults]
        if not faults:
            held.append(f"{name}: held in every run")
    told = [
        f"{name}: {count:,} winners who asked again were told sold_out"
        for name, count in found.forgotten.items()
        if count
    ]
    return [*broken, *held, *told]


def show(found: PeersReport, console: Console) -> None:
    """Print tables, notes and what was checked."""
    report.show_tables(console, COLUMNS, lines(found), found.goals)
    console.print(*about(found), *report.warnings(found.machine, found.runs), sep="\n")
    for text in invariants(found):
        console.print(f"[red]{text}[/red]" if text.startswith("BROKEN") else text)


def about(found: PeersReport) -> list[str]:
    """Where, with what and how it was measured."""
    versions = ", ".join(found.versions.values())
    return [
        *report.about_machine(found.machine),
        f"{versions}; generator: {found.generator}",
        *(f"left out: {name}, which needs: {install}" for name, install in found.left_out.items()),
    ]


def pictures(found: PeersReport) -> dict[str, Image]:
    """PNGs by name: speed and CPU per click of every durability, and latencies at equal rates."""
    images = {}
    for durability in found.durabilities:
        speed = _panels(found, durability, "clicks/s", found.servers, rate)
        images[f"speed-{durability}"] = Image(speed, f"Clicks per second by connections, {durability}")
        near = [server for server in found.servers if server != FASTAPI]
        cpu = _panels(found, durability, "µs per click", near, together, redis_cpu)
        images[f"cpu-{durability}"] = Image(cpu, f"CPU of server and Redis together per click, {durability}")
        if any(each.target == target(OURS, durability) for each in found.latencies):
            name = f"Latency at equal rates, {durability}"
            images[f"latency-{durability}"] = Image(_latencies(found, durability), name)
    return images


def _panels(
    found: PeersReport,
    durability: str,
    unit: str,
    servers: Sequence[str],
    of: Callable[[Run], float],
    part: Callable[[Run], float] | None = None,
) -> bytes:
    def values(of: Callable[[Run], float], server: str, scenario: str, places: list[int]) -> list[list[float]]:
        name = target(server, durability)
        return [[of(run) for run in chosen(found.runs, scenario, at, name)] for at in places]

    panels = []
    for scenario in dict.fromkeys(run.scenario for run in found.runs):
        places = sorted({run.connections for run in found.runs if run.scenario == scenario})
        series = [
            Bars(
                TITLES[server],
                values(of, server, scenario, places),
                HUES[server],
                values(part, server, scenario, places) if part else (),
            )
            for server in servers
        ]
        title = f"{scenario.replace('_', ' ')}, {durability}"
        panels.append(Panel(title, unit, [f"{at:,}" for at in places], series))
    return charts.draw(panels, columns=min(2, len(panels)))


def _latencies(found: PeersReport, durability: str) -> bytes:
    panels = []
    for title, of in (("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us")):
        drawn = []
        for server in (OURS, FIRST):
            these = [each for each in found.latencies if each.target == target(server, durability)]
            rates = sorted({each.rate_per_s for each in these})
            values = [[getattr(each, of) / 1000 for each in these if each.rate_per_s == at] for at in rates]
            drawn.append(Line(TITLES[server], rates, values, HUES[server]))
        panels.append(Curves(f"{title}, {durability}", "ms", "clicks/s offered to both", drawn))
    return charts.draw(panels, columns=3)


def whole_page(found: PeersReport, images: dict[str, Image]) -> str:
    """The page, with nothing to load from elsewhere."""

    def of(kind: str) -> list[Image]:
        return [image for name, image in images.items() if name.startswith(kind)]

    speed = (
        "Bars are medians of all runs, whiskers the slowest and the fastest. Runs are interleaved: ratios are"
        " medians over pairs of one round. The server is alone on one core, Redis and the generator share another."
    )
    ratios = (
        "“ours is”: this gateway's clicks/s divided by that server's. “by CPU”: the same for clicks per second of"
        " the server's CPU time, which also holds on a machine that is busy with other things."
    )
    cpu = (
        "Server and Redis together, Redis being the darker part. The generator is not in it, nor is FastAPI, which"
        " would make all others look alike; the table has it."
    )
    latency = (
        "Open loop: clicks are sent at a given rate whatever the answers, and a latency counts from when its click"
        " was due. The rates are shares of what the slower of both answers in a closed loop, of 256 connections"
        " or the most below that."
    )
    checked = (
        "After every run: units sold are at most the stock, no unit is sold twice, nobody wins twice, stream and"
        " buyers agree, and as many wins were answered as the stream has. The gateway's orders are counted through"
        " its back office, after the order writer."
    )
    all_rows = page.Table(COLUMNS, lines(found), text_columns=3)
    sections = [
        report.goals_section(found.goals),
        Section("Speed", speed, of("speed")),
        Section("CPU per click", cpu, of("cpu")),
        Section("All figures", ratios, [all_rows]),
    ]
    if found.latencies:
        rows = page.Table(LATENCY_COLUMNS, latency_lines(found))
        sections.append(Section("Latency at equal rates", latency, [*of("latency"), rows]))
    sections += [
        Section("Invariants", checked, [invariants(found)]),
        Section("Who does what", parts=[list(DIFFERENCES)]),
        report.settings_section(found.settings),
    ]
    warnings = report.warnings(found.machine, found.runs)
    return page.render("Seckill beside its peers", [f"Measured {found.when}", *about(found)], warnings, sections)


def write(found: PeersReport, folder: Path) -> Path:
    """Write JSON, pictures and page; the path of the page."""
    stem = report.stem("peers", found.when, found.machine)
    images = pictures(found)
    (folder / f"{stem}.json").write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2))
    for name, image in images.items():
        (folder / f"{stem}-{name}.png").write_bytes(image.png)
    path = folder / f"{stem}.html"
    path.write_text(whole_page(found, images), encoding="utf-8")
    return path

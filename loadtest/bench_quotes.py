"""``make bench-quotes``: how fast a cart is priced. Prints figures beside what was wanted; leaves them as JSON.

The same ten-line cart, with two hundred campaigns in scope of it, in a shop with few campaigns and in one with
many; beside each run, in the same repetition, the sidecar's own constant reply. The sidecars run on one core, the
generator and Redis on another. The engine alone is timed in processes of its own. Exit code 1 if a reply was not a
quote, or not the same one in both shops.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from rich.console import Console
from rich.table import Table

from loadtest import generators, machine
from loadtest.command import command, read_options
from loadtest.errors import LoadtestError
from loadtest.generators import Heard, Requests
from loadtest.processes import ROOT, cores, pinned, unwind_on_sigterm
from loadtest.quote_shop import IN_SCOPE, LINES, Sidecar, Size, campaigns_beyond, campaigns_in_scope, cart

CONSTANT, FEW, MANY = "constant", "few", "many"
OF_CONSTANT_WANTED = 0.25
SHOPS_DIFFER_WANTED = 0.10
QUICK = {"duration_s": 1.0, "repetitions": 1, "products": 300, "campaigns": IN_SCOPE + 20, "carts": 20}


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run. CPU is that of the sidecar, all threads, µs per reply."""

    target: str
    repetition: int
    replies_per_s: float
    p50_us: int
    p99_us: int
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a benchmark found; every ratio is the median of its repetitions."""

    of_constant: float
    many_costs_more: float
    engine: dict[str, dict[str, float]]
    runs: list[Run]
    breaches: list[str]
    settings: dict[str, Any] = field(default_factory=dict)


def goals(found: Figures) -> list[tuple[str, str, str, bool]]:
    """Each promised figure: name, value, what was wanted, whether it was reached."""
    rows = [
        (
            "quotes/s of the constant reply",
            f"{found.of_constant:.3f}",
            f"≥ {OF_CONSTANT_WANTED}",
            found.of_constant >= OF_CONSTANT_WANTED,
        ),
        (
            "a quote costs more among many campaigns",
            f"{found.many_costs_more:+.1%}",
            f"≤ {SHOPS_DIFFER_WANTED:.0%}",
            found.many_costs_more <= SHOPS_DIFFER_WANTED,
        ),
    ]
    for name, figures in found.engine.items():
        value, wanted = figures["p99_ms"], figures["wanted_ms"]
        rows.append((f"{name}, p99 ms", f"{value:.2f}", f"≤ {wanted:g}", value <= wanted))
    return rows


def ratios(runs: list[Run]) -> tuple[float, float]:
    """Of the shop with many campaigns: (quotes/s of the constant reply's, how much more CPU a quote takes)."""
    by_repetition: dict[int, dict[str, Run]] = {}
    for run in runs:
        by_repetition.setdefault(run.repetition, {})[run.target] = run
    pairs = list(by_repetition.values())
    return (
        median(each[MANY].replies_per_s / each[CONSTANT].replies_per_s for each in pairs),
        median(each[MANY].cpu_us / each[FEW].cpu_us for each in pairs) - 1,
    )


def judge(few: dict[str, Any], many: dict[str, Any]) -> list[str]:
    """What is wrong with the quotes of the same cart in both shops."""
    breaches = []
    if {**few, "token": None} != {**many, "token": None}:
        breaches.append("the same cart has another price among more campaigns")
    payable = sum(line["payable"] for line in many["lines"])
    if many["total"] != payable or many["subtotal"] - many["discount"] != payable:
        breaches.append(f"the total is {many['total']}, the lines cost {payable}")
    if len(many["lines"]) != LINES or any(line["state"] != "ok" for line in many["lines"]):
        breaches.append("a line of the cart cannot be bought")
    if not 0 < many["discount"] < many["subtotal"]:
        breaches.append(f"the discount of {many['subtotal']} is {many['discount']}")
    joined = {line["campaign"] for line in many["lines"]}
    if None in joined or len(joined) != LINES:
        breaches.append(f"the lines joined {sorted(map(str, joined))}")
    return breaches


def write_request(path: Path, method: str, url: str, body: bytes = b"") -> Requests:
    """One request in a file, to be sent again and again."""
    target = urlsplit(url)
    head = f"{method} {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    path.write_bytes(request)
    return Requests(path, len(request), 1)


@dataclass(slots=True)
class Bench:
    """One benchmark under way."""

    console: Console
    connections: int
    duration_s: float
    core: int | None
    runs: list[Run] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    def measure(self, target: str, repetition: int, sidecar: Sidecar, requests: Requests) -> None:
        """Ask one thing for a while."""
        before = sidecar.server.usage().cpu_s
        heard: Heard = generators.click(
            sidecar.url,
            requests,
            connections=self.connections,
            duration_s=self.duration_s,
            core=self.core,
            repeat=True,
        )
        used = sidecar.server.usage().cpu_s - before
        run = Run(
            target,
            repetition,
            heard.replies / heard.duration_s,
            heard.p50_us,
            heard.p99_us,
            used / heard.replies * 1e6,
        )
        self.runs.append(run)
        if heard.failed or heard.refused:
            self.breaches.append(f"{target}: {heard.failed} requests failed, {heard.refused} were refused")
        self.console.print(
            f"{target:8} {run.replies_per_s:8,.0f}/s  p50 {run.p50_us / 1000:6.1f} ms"
            f"  p99 {run.p99_us / 1000:6.1f} ms  CPU {run.cpu_us:5.0f} µs"
        )

    def compare(self, few: Sidecar, many: Sidecar, folder: Path, repetitions: int) -> None:
        """All targets in turn, so many times; the order rotates."""
        body = orjson.dumps(cart())
        quotes = []
        for sidecar in (few, many):
            reply = httpx.post(f"{sidecar.url}/api/quote", content=body, timeout=120.0, trust_env=False)
            reply.raise_for_status()
            quotes.append(reply.json())
        self.breaches += judge(*quotes)
        asked = {
            CONSTANT: (many, write_request(folder / "constant.request", "GET", f"{many.url}/admin/api/healthz")),
            FEW: (few, write_request(folder / "few.request", "POST", f"{few.url}/api/quote", body)),
            MANY: (many, write_request(folder / "many.request", "POST", f"{many.url}/api/quote", body)),
        }
        order = list(asked)
        for repetition in range(repetitions):
            turn = repetition % len(order)
            for target in order[turn:] + order[:turn]:
                self.measure(target, repetition, *asked[target])


def engine_alone(carts: int, core: int | None) -> dict[str, dict[str, float]]:
    """What the engine takes without the sidecar around it, by its own program.

    Raises:
        LoadtestError: it failed.
    """
    command = [sys.executable, "-m", "tests.promotions.bench_engine", str(carts)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, preexec_fn=pinned(core)
    )
    if done.returncode != 0:
        raise LoadtestError(f"the engine's own program ended with {done.returncode}:\n{done.stderr}")
    found: dict[str, dict[str, float]] = orjson.loads(done.stdout)
    return found


def run(arguments: argparse.Namespace, console: Console) -> Figures:
    """Fill both shops, measure."""
    found = cores()
    core, others = found or (None, None)
    size = Size(arguments.products, arguments.campaigns)
    bench = Bench(console, arguments.connections, arguments.duration_s, others)
    with tempfile.TemporaryDirectory(prefix="seckill-quotes-") as name:
        folder = Path(name)
        console.print(f"filling the shop: {size.products:,} products, {IN_SCOPE} campaigns in scope of the cart")
        with Sidecar("first", folder, core=core, others=others) as first:
            first.import_products(size.products)
            first.publish(campaigns_in_scope(size.products))
            first.publish(campaigns_beyond(10, size.products))
        with (
            Sidecar("few", folder, core=core, others=others, like=first) as few,
            Sidecar("many", folder, core=core, others=others, like=first) as many,
        ):
            beyond = size.campaigns - IN_SCOPE
            console.print(f"one shop gets more campaigns: {size.campaigns:,} in all")
            many.publish(list(campaigns_beyond(beyond, size.products))[10:])
            bench.compare(few, many, folder, arguments.repetitions)
    console.print("the engine alone")
    of_constant, many_costs_more = ratios(bench.runs)
    return Figures(
        of_constant,
        many_costs_more,
        engine_alone(arguments.carts, core),
        bench.runs,
        bench.breaches,
        {name: str(value) for name, value in vars(arguments).items()},
    )


def show(found: Figures, console: Console) -> None:
    """The figures beside what was wanted, and what is wrong."""
    table = Table("figure", "value", "wanted", "reached")
    for name, value, wanted, reached in goals(found):
        table.add_row(name, value, wanted, "yes" if reached else "NO")
    console.print(table)
    for breach in found.breaches:
        console.print(f"[red]{breach}[/red]")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench_quotes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round in a small shop: does it work?")
    parser.add_argument("--duration-s", type=float, default=4.0, help="length of one timed run")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--carts", type=int, default=300, help="carts of each kind for the engine alone")
    return read_options(parser, argv, quick=QUICK)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    return command(
        lambda console: run(arguments, console),
        show=show,
        write=lambda found: [machine.publish(found, arguments.results, "quotes")],
        broken=lambda found: found.breaches,
    )


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

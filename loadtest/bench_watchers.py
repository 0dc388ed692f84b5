"""``make bench-watchers``: what open event streams cost the clicks of one gateway worker.

Runs without and with watchers take turns. The watchers are spread over several offers, half of them on the one
that is clicked on; its stock and theirs are topped up meanwhile, which tells how late each watcher hears. Every
offer is then checked from the outside. Exit code 1 if a promise of correctness is broken.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtest import books, machine
from loadtest.command import command, read_options
from loadtest.errors import GeneratorError
from loadtest.figures import Run
from loadtest.processes import ROOT, cores, pinned, unwind_on_sigterm
from loadtest.scenarios import Plan, Sizes, measure, prepare
from loadtest.stack import PRODUCT, Cores, Stack
from loadtest.watching import Lateness, raise_file_limit

TOP_UP_EVERY_S = 1.0
HOT_SHARE = 0.5
COST_MAX = 0.1
"""The part of its clicks/s that watchers may cost a gateway."""
QUICK = {"duration_s": 2.0, "pairs": 1, "watchers": 200, "mixed_shoppers": 5_000}


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watchers of one run heard. Lateness counts from when the change was asked for."""

    watchers: int
    open_at_end: int
    events_per_s: float
    crowd_cpu_share: float
    hot: Lateness
    quiet: Lateness
    bytes_per_watcher: float
    """Resident memory that the worker grew by when they came; after the first time it has that memory already."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs next to each other, without and with watchers."""

    scenario: str
    without: Run
    watched: Run
    heard: Watched

    @property
    def clicks_ratio(self) -> float:
        """Clicks/s with watchers, as a part of those without."""
        return self.watched.clicks_per_s / self.without.clicks_per_s

    @property
    def cpu_ratio(self) -> float:
        """The gateway's CPU per click without watchers, as a part of that with them."""
        return self.without.gateway_cpu_us / self.watched.gateway_cpu_us

    @property
    def us_per_event(self) -> float:
        """The gateway's CPU for one event to one watcher, reading and encoding included, µs."""
        more_us_per_s = (self.watched.gateway_cpu_us - self.without.gateway_cpu_us) * self.watched.clicks_per_s
        return more_us_per_s / self.heard.events_per_s


@dataclass(frozen=True, slots=True)
class Found:
    """Everything one run of this program found."""

    settings: dict[str, str]
    summary: dict[str, dict[str, float]]
    pairs: list[Pair]
    breaches: list[str]


class TopUps:
    """Raises the stock of offers by one unit, again and again, and remembers when."""

    def __init__(self, stack: Stack, stocks: dict[str, int]) -> None:
        self._stack = stack
        self.stocks = dict(stocks)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.asked_s: dict[str, dict[str, float]] = {offer: {} for offer in stocks}

    def __enter__(self) -> TopUps:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(TOP_UP_EVERY_S):
            for offer in self.stocks:
                self.stocks[offer] += 1
                stock = str(self.stocks[offer])
                self.asked_s[offer][stock] = time.monotonic()
                self._stack.api.change_stock(offer.removesuffix(f"-{PRODUCT}"), PRODUCT, 1, f"{offer}-{stock}")


class Crowd:
    """The watchers, in a process of their own beside the generator."""

    def __init__(self, url: str, watched: dict[str, int], core: int | None) -> None:
        target = urlsplit(url)
        command = [sys.executable, "-m", "loadtest.watching", str(target.hostname), str(target.port)]
        self._watched = watched
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(core),  # noqa: PLW1509 - no other thread runs here yet
        )

    def wait_ready(self) -> None:
        """Open all streams.

        Raises:
            GeneratorError: the watchers could not be opened.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        lines = "".join(f"{offer} {count}\n" for offer, count in self._watched.items())
        self._process.stdin.write(lines + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "ready\n":
            raise GeneratorError("the watchers could not open their streams; their errors are above")

    def close(
        self, hot: str, asked_s: dict[str, dict[str, float]], took_s: float, bytes_per_watcher: float
    ) -> Watched:
        """Close all streams; what was heard."""
        out, _ = self._process.communicate(orjson.dumps(asked_s).decode(), timeout=60)
        heard = orjson.loads(out)
        late = {offer == hot: Lateness(**each) for offer, each in heard["late_ms"].items()}
        return Watched(
            sum(self._watched.values()),
            heard["open"],
            heard["events"] / took_s,
            heard["cpu_s"] / took_s,
            late[True],
            late[False],
            bytes_per_watcher,
        )


@dataclass(slots=True)
class Bench:
    """One comparison under way."""

    stack: Stack
    sizes: Sizes
    core: int | None
    watchers: int
    connections: int
    others: dict[str, int]
    """Offers that are watched and not clicked on → their stock."""

    pairs: list[Pair] = field(default_factory=list)
    sold: list[tuple[Plan, int]] = field(default_factory=list)

    def pair(self, scenario: str, repetition: int) -> Pair:
        """Both runs, in an order that alternates."""
        if repetition % 2:
            watched, heard = self._watched(scenario, repetition)
            without = self._run(scenario, repetition)[0]
        else:
            without = self._run(scenario, repetition)[0]
            watched, heard = self._watched(scenario, repetition)
        found = Pair(scenario, without, watched, heard)
        self.pairs.append(found)
        return found

    def _watched(self, scenario: str, repetition: int) -> tuple[Run, Watched]:
        run, heard = self._run(scenario, repetition, watched=True)
        assert heard is not None
        return run, heard

    def _run(self, scenario: str, repetition: int, *, watched: bool = False) -> tuple[Run, Watched | None]:
        plan = prepare(scenario, self.stack, self.sizes, core=self.core)
        crowd = None
        before = self.stack.gateway.usage().resident_bytes[0]
        if watched:
            elsewhere = round(self.watchers * (1 - HOT_SHARE) / len(self.others))
            spread = dict.fromkeys(self.others, elsewhere)
            spread[plan.offer] = self.watchers - elsewhere * len(self.others)
            crowd = Crowd(self.stack.gateway_url, spread, self.core)
            crowd.wait_ready()
        grown = (self.stack.gateway.usage().resident_bytes[0] - before) / self.watchers
        quiet = next(iter(self.others))  # one for all: they are all alike
        begun_s = time.monotonic()
        with TopUps(self.stack, {plan.offer: plan.stock, quiet: self.others[quiet]}) as changes:
            run = measure(
                scenario,
                self.stack,
                plan,
                connections=self.connections,
                repetition=repetition,
                sizes=self.sizes,
                core=self.core,
            )
        took_s = time.monotonic() - begun_s
        # Units are added while it sells, so the last ones may find nobody.
        self.sold.append((replace(plan, until_sent=False), run.outcomes.get("won", 0)))
        plan.requests.path.unlink()
        heard = crowd.close(plan.offer, changes.asked_s, took_s, grown) if crowd else None
        self.others[quiet] = changes.stocks[quiet]
        return run, heard


def summary(pairs: list[Pair]) -> dict[str, dict[str, float]]:
    """Medians of pairs by scenario; lateness over all watchers and changes, ms."""
    found = {}
    for scenario in dict.fromkeys(pair.scenario for pair in pairs):
        chosen = [pair for pair in pairs if pair.scenario == scenario]
        figures = {
            "clicks_ratio": median(pair.clicks_ratio for pair in chosen),
            "cpu_ratio": median(pair.cpu_ratio for pair in chosen),
            "clicks_per_s_without": median(pair.without.clicks_per_s for pair in chosen),
            "clicks_per_s_watched": median(pair.watched.clicks_per_s for pair in chosen),
            "gateway_us_without": median(pair.without.gateway_cpu_us for pair in chosen),
            "gateway_us_watched": median(pair.watched.gateway_cpu_us for pair in chosen),
            "p99_ms_without": median(pair.without.p99_us for pair in chosen) / 1000,
            "p99_ms_watched": median(pair.watched.p99_us for pair in chosen) / 1000,
            "events_per_s": median(pair.heard.events_per_s for pair in chosen),
            "us_per_event": median(pair.us_per_event for pair in chosen),
            "kib_per_watcher": max(pair.heard.bytes_per_watcher for pair in chosen) / 1024,
            "crowd_cpu_share": median(pair.heard.crowd_cpu_share for pair in chosen),
        }
        for name, late in (("hot", [p.heard.hot for p in chosen]), ("quiet", [p.heard.quiet for p in chosen])):
            figures[f"late_{name}_p50_ms"] = median(each.p50 for each in late)
            figures[f"late_{name}_p99_ms"] = median(each.p99 for each in late)
            figures[f"late_{name}_samples"] = sum(each.samples for each in late)
        found[scenario] = figures
    return found


def show(found: Found, console: Console) -> None:
    """Print the comparison."""
    table = Table("figure", *found.summary, title="Without and with watchers; medians of interleaved pairs")
    for name in next(iter(found.summary.values())):
        table.add_row(name, *(f"{each[name]:,.2f}" for each in found.summary.values()))
    console.print(table)
    for scenario, figures in found.summary.items():
        cost = 1 - figures["cpu_ratio"]
        word = "[green]holds[/green]" if cost <= COST_MAX else "[red]DOES NOT HOLD[/red]"
        console.print(f"{scenario}: watchers cost {cost:.1%} by CPU per click; at most {COST_MAX:.0%}: {word}")
    for breach in found.breaches:
        console.print(f"[red]BROKEN: {breach}[/red]")
    if not found.breaches:
        console.print("[green]every offer checked from the outside: units, limits and orders agree[/green]")


def run(arguments: argparse.Namespace, console: Console) -> Found:
    """All pairs, then the books."""
    placed = Cores(*(cores() or (None, None)))
    sizes = Sizes(arguments.duration_s, arguments.mixed_shoppers)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    breaches: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="seckill-watchers-") as folder,
        Stack("watchers", Path(folder), placed, durability=arguments.durability) as stack,
        Progress(*columns, console=console, transient=True) as status,
    ):
        others = {stack.create_offer(1_000): 1_000 for _ in range(arguments.offers - 1)}
        bench = Bench(stack, sizes, placed.others, arguments.watchers, arguments.connections, others)
        for scenario in arguments.scenarios:
            status.add_task(f"{scenario}: {arguments.watchers:,} watchers or none")
            for repetition in range(arguments.pairs):
                pair = bench.pair(scenario, repetition)
                console.print(
                    f"{scenario:9} {pair.without.clicks_per_s:8,.0f} → {pair.watched.clicks_per_s:8,.0f} clicks/s"
                    f"  gateway {pair.without.gateway_cpu_us:5.1f} → {pair.watched.gateway_cpu_us:5.1f} µs"
                    f"  {pair.heard.events_per_s:6,.0f} events/s  {pair.heard.open_at_end:,} open"
                )
                if pair.heard.open_at_end < pair.heard.watchers:
                    lost = pair.heard.watchers - pair.heard.open_at_end
                    breaches.append(f"{scenario}: {lost} of {pair.heard.watchers} streams were not open at the end")
                for each in (pair.without, pair.watched):
                    if each.failed:
                        breaches.append(f"{scenario}: {each.failed} clicks failed at the client")
        status.add_task("orders")
        breaches += books.check(stack, bench.sold).breaches
    return Found(
        {name: str(value) for name, value in vars(arguments).items()}, summary(bench.pairs), bench.pairs, breaches
    )


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench_watchers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short pair with few watchers: does it work?")
    parser.add_argument("--watchers", type=int, default=5_000)
    parser.add_argument(
        "--offers", type=int, default=10, help="offers that are watched, the clicked one among them"
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--duration-s", type=float, default=6.0, help="length of one timed run")
    parser.add_argument("--connections", type=int, default=256, help="of the clicks")
    parser.add_argument("--scenarios", nargs="+", choices=("win", "sold_out", "mixed"), default=["win", "mixed"])
    parser.add_argument("--durability", choices=("relaxed", "strict"), default="strict")
    parser.add_argument("--mixed-shoppers", type=int, default=40_000)
    return read_options(parser, argv, quick=QUICK)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    raise_file_limit()
    return command(
        lambda console: run(arguments, console),
        show=show,
        write=lambda found: [machine.publish(found, arguments.results, "watchers")],
        broken=lambda found: found.breaches,
    )


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

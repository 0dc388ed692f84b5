"""``make overload``: twice as many clicks as a worker can answer, among clients that only cost it.

1. The capacity: clicks answered per second by as many connections as keep it busy.
2. Unloaded: a quarter of that, at a given rate (an open loop: shoppers do not wait for each other).
3. Overload: twice the capacity for a minute, with thousands of idle connections and slow clients beside it.
4. Recovery: a quarter again, from the second in which the overload ends.
5. Beyond: four times the capacity, on more connections than the worker accepts.

The gateway runs on one core, beside programs that only burn it, so that a generator on the other core (with Redis)
can ask for four times as much as is left to the gateway. Afterwards the orders are written and held
against what was answered. Exit code 1 if a promise is broken or a goal missed.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from rich.console import Console
from rich.table import Table

from loadtest import back_office, generators, machine, open_loop, scrape
from loadtest.checks import CHECKS_OF_THE_BOOKS, Story
from loadtest.command import read_options
from loadtest.errors import GeneratorError, LoadtestError
from loadtest.generators import Requests
from loadtest.open_loop import Order
from loadtest.processes import ROOT, Server, cores, pinned, unwind_on_sigterm
from loadtest.scenarios import new_shoppers
from loadtest.stack import LIMITS, Cores, Stack
from loadtest.verify import judge

SHOPPERS = 1_000_000
STOCK = 10_000_000
CAPACITY_CONNECTIONS = 256
CAPACITY_S = 4.0
UNLOADED_SHARE, OVERLOAD_SHARE, BEYOND_SHARE = 0.25, 2.0, 4.0
CLIENTS_MAX = 4000
"""Connections of shoppers at once; one that clicks finds most of them idle unless the gateway is slow."""
SPARE_CONNECTIONS = 2500
"""What the worker may accept besides the loiterers."""
LATE_MAX_MS = 50
"""A generator that is further behind measures itself."""
MEMORY_EVERY_S = 0.5
RECOVERED_WITHIN_S = 5
P99_FACTOR = 3.0
MEMORY_GROWTH_MAX = 0.25
HONEST = frozenset({"won", "already_won", "busy", "rate_limited"})
ACCEPTED = ("won", "already_won")


@contextlib.contextmanager
def companions(count: int, core: int | None, folder: Path) -> Iterator[None]:
    """Programs that burn their share of a core."""
    burning = [sys.executable, "-c", "while True: pass"]
    started = [Server.start(f"companion{number}", burning, folder=folder, core=core) for number in range(count)]
    try:
        yield
    finally:
        for each in started:
            each.stop()


@dataclass(slots=True)
class Phase:
    """One phase: what was asked, what was heard (as `open_loop` says it), and the worker's memory over it."""

    name: str
    rate_per_s: float
    heard: dict[str, Any]
    resident_mb: list[float]

    def p99_ms(self, *words: str) -> float:
        """The largest p99 among these outcomes, ms; 0 when nobody heard one."""
        found = [self.heard["outcomes"][word]["p99_us"] for word in words if word in self.heard["outcomes"]]
        return max(found, default=0) / 1000

    def count(self, *words: str) -> int:
        """Replies with these outcomes."""
        return sum(self.heard["outcomes"].get(word, {"count": 0})["count"] for word in words)


@dataclass(slots=True)
class Overload:
    """One run."""

    stack: Stack
    requests: Requests
    core: int | None
    console: Console
    phases: list[Phase] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def capacity(self, offer_requests: Requests) -> float:
        """Accepted clicks per second with the worker kept busy."""
        before = scrape.at_rest(self.stack.metrics_url)
        heard = generators.click(
            self.stack.gateway_url,
            offer_requests,
            connections=CAPACITY_CONNECTIONS,
            duration_s=CAPACITY_S,
            core=self.core,
            repeat=True,
        )
        added = scrape.at_rest(self.stack.metrics_url).since(before).outcomes
        return sum(added.get(word, 0) for word in ACCEPTED) / heard.duration_s

    def phase(
        self, name: str, rate_per_s: float, duration_s: float, *, connections_max: int = CLIENTS_MAX
    ) -> Phase:
        """Click at a rate for a time."""
        self.console.print(f"{name}: {rate_per_s:,.0f} clicks/s for {duration_s:.0f} s …")
        target = urlsplit(self.stack.gateway_url)
        order = Order(
            str(target.hostname),
            int(target.port or 0),
            str(self.requests.path),
            self.requests.size_bytes,
            rate_per_s,
            duration_s,
            connections_max,
        )
        memory = _Memory(self.stack.gateway)
        try:
            heard = open_loop.click(order, core=self.core)
        finally:
            resident_mb = memory.stop()
        phase = Phase(name, rate_per_s, heard, resident_mb)
        self.phases.append(phase)
        return phase

    def judge(self) -> None:
        """Hold the phases against the goals."""
        unloaded, overload, recovery, beyond = self.phases
        limit_ms = P99_FACTOR * unloaded.p99_ms(*ACCEPTED)
        self._expect(
            overload.p99_ms(*ACCEPTED) <= limit_ms,
            f"accepted clicks under overload: p99 {overload.p99_ms(*ACCEPTED):.1f} ms, want at most {limit_ms:.1f}",
        )
        self._expect(overload.count("busy") > 0, "nothing was refused: that was no overload")
        for phase in self.phases[:3]:
            late_ms = 1000 * phase.heard["late_s"]
            self._expect(late_ms <= LATE_MAX_MS, f"{phase.name}: the generator was {late_ms:.0f} ms behind")
        for phase in self.phases:
            words = set(phase.heard["outcomes"])
            self._expect(words <= HONEST, f"{phase.name}: also answered {', '.join(sorted(words - HONEST))}")
        grown = max(overload.resident_mb) / overload.resident_mb[len(overload.resident_mb) // 5] - 1
        self._expect(grown <= MEMORY_GROWTH_MAX, f"memory grew by {grown:.0%} during the overload")
        late = [
            each["second"]
            for each in recovery.heard["seconds"]
            if "busy" in each["outcomes"]
            or max(each["outcomes"].get(word, {"p99_us": 0})["p99_us"] for word in ACCEPTED) > limit_ms * 1000
        ]
        self._expect(not late or late[0] > RECOVERED_WITHIN_S or max(late) < RECOVERED_WITHIN_S, f"slow in {late}")
        self._expect(beyond.count(*ACCEPTED) > 0, "beyond what it accepts, the worker served nobody")

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.findings.append(otherwise)

    def show(self, capacity: float) -> None:
        """Print the phases as a table."""
        table = Table(
            "phase", "asked/s", "accepted/s", "p50 ms", "p99 ms", "busy/s", "p99 ms", "failed", "memory MB"
        )
        for phase in self.phases:
            span_s = max(1, len(phase.heard["seconds"]))
            p50_ms = max(phase.heard["outcomes"].get(word, {"p50_us": 0})["p50_us"] for word in ACCEPTED) / 1000
            table.add_row(
                phase.name,
                f"{phase.rate_per_s:,.0f}",
                f"{phase.count(*ACCEPTED) / span_s:,.0f}",
                f"{p50_ms:.1f}",
                f"{phase.p99_ms(*ACCEPTED):.1f}",
                f"{phase.count('busy') / span_s:,.0f}",
                f"{phase.p99_ms('busy'):.1f}",
                f"{phase.heard['failed']:,}",
                f"{min(phase.resident_mb):.0f}–{max(phase.resident_mb):.0f}",
            )
        self.console.print(table)
        self.console.print(f"capacity {capacity:,.0f} clicks/s")

    def verify(self, offer: str) -> None:
        """Write the orders, and hold them against what was answered."""
        self.stack.write_orders(within_s=600)
        won = scrape.at_rest(self.stack.metrics_url).outcomes.get("won", 0)
        facts = back_office.facts(self.stack.api, back_office.listings(self.stack.api, [offer])[offer])
        verdict = judge(facts, Story((), ()), names=CHECKS_OF_THE_BOOKS)
        self.findings += [text for texts in verdict.breaches.values() for text in texts]
        self._expect(len(facts.orders) == won, f"{won} wins were answered, {len(facts.orders)} orders exist")


class _Memory:
    """Samples the largest resident size of a server's processes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._samples: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(MEMORY_EVERY_S):
            self._samples.append(self._server.usage().resident_bytes[0] / 1e6)

    def stop(self) -> list[float]:
        """The samples, MB."""
        self._over.set()
        self._thread.join()
        return self._samples or [self._server.usage().resident_bytes[0] / 1e6]


class _Loiterers:
    """Idle and slow clients, held while the context lasts."""

    def __init__(self, url: str, idle: int, slow: int, core: int | None) -> None:
        target = urlsplit(url)
        self._command = [sys.executable, "-m", "loadtest.loiterers", str(target.hostname), str(target.port)]
        self._command += [str(idle), str(slow)]
        self._core = core
        self.said: dict[str, int] = {}

    def __enter__(self) -> _Loiterers:
        self._process: subprocess.Popen[str] = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(self._core),  # noqa: PLW1509 - nothing else runs here yet
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise GeneratorError("the loiterers could not all connect")
        return self

    def __exit__(self, *_: object) -> None:
        out = self._process.communicate()[0]
        self.said = orjson.loads(out)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.overload", description=__doc__)
    parser.add_argument("--duration-s", type=float, default=60.0, help="length of the overload")
    parser.add_argument("--idle", type=int, default=5000, help="idle connections")
    parser.add_argument("--slow", type=int, default=200, help="clients that send a byte at a time")
    parser.add_argument("--companions", type=int, default=2, help="programs that burn the gateway's core beside it")
    parser.add_argument("--shoppers", type=int, default=SHOPPERS)
    parser.add_argument("--setting", nargs="+", default=[], metavar="NAME=VALUE", help="SECKILL_* for the gateway")
    return read_options(parser, argv)


def _run(folder: Path, arguments: argparse.Namespace, console: Console) -> Overload:
    found = cores()
    placed = Cores(*found) if found else Cores(None, None)
    loiterers = arguments.idle + arguments.slow
    settings = {
        "SECKILL_LAG_MAX_MS": "25",
        "SECKILL_CONNECTIONS_MAX": str(loiterers + SPARE_CONNECTIONS),
        **dict(each.split("=", 1) for each in arguments.setting),
    }
    with (
        Stack("overload", folder, placed, durability="strict", extra=settings) as stack,
        companions(arguments.companions, placed.gateway, folder),
    ):
        offer = stack.create_offer(STOCK)
        path = stack.folder / "clicks.bin"
        requests = generators.write_requests(path, offer, new_shoppers(arguments.shoppers), stack.mint)
        run = Overload(stack, requests, placed.others, console)
        capacity = run.capacity(requests)
        run.phase("unloaded", capacity * UNLOADED_SHARE, 10)
        with _Loiterers(stack.gateway_url, arguments.idle, arguments.slow, placed.others) as idlers:
            run.phase("overload", capacity * OVERLOAD_SHARE, arguments.duration_s)
            run.phase("recovery", capacity * UNLOADED_SHARE, 2 * RECOVERED_WITHIN_S)
            run.phase("beyond", capacity * BEYOND_SHARE, min(15.0, arguments.duration_s), connections_max=8000)
        console.print(f"loiterers kept at the end: {idlers.said}")
        run.judge()
        run.show(capacity)
        run.verify(offer)
        arguments.results.mkdir(parents=True, exist_ok=True)
        result = {
            "machine": asdict(machine.describe()),
            "settings": dict(LIMITS) | settings,
            "capacity_per_s": capacity,
            "loiterers": idlers.said,
            "phases": [asdict(phase) for phase in run.phases],
            "findings": run.findings,
        }
        target = arguments.results / "overload.json"
        target.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
        console.print(f"written: {target}")
    return run


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code."""
    arguments = _arguments(argv)
    console = Console()
    try:
        with tempfile.TemporaryDirectory(prefix="seckill-overload-") as folder:
            run = _run(Path(folder), arguments, console)
    except (LoadtestError, httpx.HTTPError) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    for finding in run.findings:
        console.print(f"[red]{finding}[/red]")
    if not run.findings:
        console.print("[green]every promise held[/green]")
    return 1 if run.findings else 0


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())

"""As many faults as wanted: `python -m tests.faults.soak --faults 1000 --seed 7`.

Runs plan after plan, says how it goes, and ends with a table of faults by points, also written as JSON and
Markdown into the results folder. Exit code 1 when there was a breach, or the harness could not finish a run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.injector import Injected
from tests.faults.plans import Plan, as_json, every_cell, from_json, plan
from tests.faults.run import Result, run_plan

RESULTS = Path(__file__).parent / "results"
FAULTS_A_RUN = 8


@dataclass
class Totals:
    """What all runs together showed."""

    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: Counter[tuple[str, str]] = field(default_factory=Counter)
    breached: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    breaches: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    unfinished: dict[int, str] = field(default_factory=dict)
    runs: int = 0

    @property
    def faults(self) -> int:
        return sum(self.cells.values())

    def add(self, seed: int, result: Result, injected: list[Injected]) -> None:
        """Count one run in."""
        self.runs += 1
        self.outcomes += result.outcomes
        self.orders += result.orders
        for each in injected:
            cell = (f"{each.fault.kind}: {each.fault.target}", each.fault.point if each.reached else "any")
            self.cells[cell] += 1
            self.breached[cell] += bool(result.breaches)
        if result.breaches:
            self.breaches[seed] = [str(each) for each in result.breaches]

    def table(self) -> str:
        """Faults by points; in brackets those in a run with a breach."""
        points = sorted({point for _, point in self.cells})
        rows = [f"| fault | {' | '.join(points)} | all |", f"|---|{'---|' * (len(points) + 1)}"]
        for kind in sorted({kind for kind, _ in self.cells}):
            counts = [self.cells[kind, point] for point in points]
            shown = [
                f"{count}{f' ({self.breached[kind, point]})' if self.breached[kind, point] else ''}"
                if count
                else ""
                for count, point in zip(counts, points, strict=True)
            ]
            rows.append(f"| {kind} | {' | '.join(shown)} | {sum(counts)} |")
        by_point = [str(sum(n for (_, at), n in self.cells.items() if at == point)) for point in points]
        return "\n".join([*rows, f"| **all** | {' | '.join(by_point)} | {self.faults} |"])

    def summary(self) -> str:
        """All figures in words."""
        replies, orders = sum(self.outcomes.values()), sum(self.orders.values())
        lines = [
            f"{self.faults} faults in {self.runs} runs, {replies} replies, {orders} orders,"
            f" {sum(map(len, self.breaches.values()))} breaches in {len(self.breaches)} runs,"
            f" {len(self.unfinished)} runs not finished",
            "replies: " + ", ".join(f"{name} {count}" for name, count in self.outcomes.most_common()),
            "orders: " + ", ".join(f"{name} {count}" for name, count in self.orders.most_common()),
        ]
        lines += [f"seed {seed}: {each}" for seed, found in self.breaches.items() for each in found[:5]]
        lines += [f"seed {seed}: not finished: {why}" for seed, why in self.unfinished.items()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """All figures for programs."""
        return {
            "faults": self.faults,
            "runs": self.runs,
            "outcomes": dict(self.outcomes),
            "orders": dict(self.orders),
            "cells": [
                {"fault": kind, "point": point, "count": count, "in_breached_runs": self.breached[kind, point]}
                for (kind, point), count in sorted(self.cells.items())
            ],
            "breaches": self.breaches,
            "unfinished": self.unfinished,
        }


def one(chosen: Plan, totals: Totals) -> str:
    """Run one plan; a line about it. The folder of a run that went wrong is kept."""
    seed = chosen.seed
    folder = Path(tempfile.mkdtemp(prefix=f"seckill-faults-{seed}-"))
    (folder / "plan.json").write_text(json.dumps(as_json(chosen), indent=1))
    keep = True
    try:
        result, injected = run_plan(chosen, folder)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        totals.unfinished[seed] = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        (folder / "traceback.txt").write_text(traceback.format_exc())
        return f"not finished: {totals.unfinished[seed]} (kept {folder})"
    else:
        totals.add(seed, result, injected)
        reached = sum(each.reached for each in injected)
        keep = bool(result.breaches)
        text = "; ".join(map(str, result.breaches[:3]))
        return (
            f"{len(injected)} faults ({reached} at their point), {result.replies} replies,"
            f" {sum(result.orders.values())} orders, {len(result.breaches)} breaches, {result.seconds:.0f} s"
            + (f"\n    {text} (kept {folder})" if text else "")
        )
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until so many faults were made."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="stop after so many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (%(default)s)")
    parser.add_argument("--each", type=int, default=FAULTS_A_RUN, help="faults in one run (%(default)s)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="instead of the plan's own")
    parser.add_argument("--matrix", action="store_true", help="first every fault at every point, once")
    parser.add_argument("--plan", type=Path, help="this plan alone, from a file that a run has left")
    chosen = parser.parse_args(arguments)
    totals, began_s = Totals(), time.monotonic()
    for each in _plans(chosen):
        if totals.faults + len(totals.unfinished) * chosen.each >= chosen.faults:
            break
        line = one(each, totals)
        so_far = f"{time.monotonic() - began_s:.0f} s, {totals.faults} of {chosen.faults} faults"
        print(f"[{so_far}] seed {each.seed}: {line}", flush=True)  # noqa: T201
        write(totals)
    print(f"\n{totals.table()}\n\n{totals.summary()}")  # noqa: T201
    return 1 if totals.breaches or totals.unfinished else 0


def _plans(chosen: argparse.Namespace) -> Iterator[Plan]:
    if chosen.plan:
        yield from_json(json.loads(chosen.plan.read_text()))
        return
    dealt = every_cell(chosen.seed, chosen.each) if chosen.matrix else []
    yield from dealt
    for seed in itertools.count(chosen.seed + len(dealt)):
        yield plan(seed, chosen.each, chosen.database)


def write(totals: Totals) -> None:
    """Keep the figures after every run, so that an interrupted soak has some."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps(totals.as_json(), indent=1))
    (RESULTS / "soak.md").write_text(f"{totals.table()}\n\n{totals.summary()}\n")


if __name__ == "__main__":
    sys.exit(main())

"""The load run and the benchmark against a real system, as short as they can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loadtest import bench, load
from loadtest.bench import Bench
from loadtest.scenarios import Sizes, measure, prepare
from loadtest.stack import Cores, Stack

ANYWHERE = Cores(None, None)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack("strict", tmp_path_factory.mktemp("bench"), ANYWHERE, durability="strict") as running:
        yield running


@pytest.mark.parametrize(
    ("scenario", "outcomes"),
    [
        # One is measured in each run of the tests, by the benchmark's own below.
        pytest.param("win", {"won"}, marks=pytest.mark.soak),
        pytest.param("sold_out", {"sold_out"}, marks=pytest.mark.soak),
        pytest.param("duplicate", {"already_won"}, marks=pytest.mark.soak),
        pytest.param("mixed", {"won", "already_won", "sold_out"}, marks=pytest.mark.soak),
    ],
)
def test_a_scenario_measures_what_it_says(scenario: str, outcomes: set[str], stack: Stack) -> None:
    sizes = Sizes(1.0, mixed_shoppers=1500)
    plan = prepare(scenario, stack, sizes, core=None)
    run = measure(scenario, stack, plan, connections=8, repetition=0, sizes=sizes, core=None)
    # `busy` is what a machine at its end answers, and sells nothing.
    assert set(run.outcomes) - {"busy"} == outcomes
    assert run.clicks == sum(run.outcomes.values())
    assert run.failed == 0
    assert run.gateway_cpu_us > 0
    assert run.p50_us <= run.p99_us <= run.p999_us
    if scenario == "mixed":
        assert run.outcomes["won"] == plan.stock
        assert run.clicks >= 3 * 1500
    if scenario in {"win", "duplicate"}:
        assert run.batch_mean > 1
        assert run.redis_cpu_us > 0


def test_orders_are_held_against_the_wins_that_were_answered(stack: Stack) -> None:
    """Given a run that was settled well, when one more win is claimed than there are orders, then it is named."""
    tried = Bench(ANYWHERE, Sizes(1.0, mixed_shoppers=1200), Console())
    tried.rounds("mixed", [stack], None, connections=8, times=1)
    tried.settle(stack)
    assert tried.breaches == []
    plan, wins = tried.sold[stack.name][0]
    tried.sold[stack.name] = [(plan, wins + 1), (replace(plan, priming=plan.requests), 0)]
    tried.settle(stack)
    assert tried.breaches == [
        f"{plan.offer}: {wins + 1} wins were answered, {wins} units are held",
        f"{plan.offer}: {wins + 1} wins were answered, {wins} orders exist",
    ]


def test_the_benchmark_runs_from_the_command_line(tmp_path: Path) -> None:
    arguments = [
        "--quick",
        "--no-batching",
        "--no-writer",
        "--setting",
        "SECKILL_LEASE_MS=150",
        "--scenarios",
        "win",
        "--connections",
        "16",
    ]
    arguments += ["--durability", "relaxed", "--memory", "--memory-shoppers", "3000"]
    assert bench.main([*arguments, "--allow-dirty", "--results", str(tmp_path)]) == 0
    (saved,) = tmp_path.glob("bench-*.json")
    found = json.loads(saved.read_bytes())
    assert {row["target"] for row in found["rows"]} == {"relaxed", "constant"}
    assert found["breaches"] == []
    assert found["settings"]["SECKILL_LEASE_MS"] == "150"
    assert found["catch_up_orders_per_s"]["relaxed"] > 0
    assert 0 < found["memory_mb"][0] <= found["memory_mb"][1] * 1.5
    assert saved.with_suffix(".html").exists()
    assert saved.with_suffix(".png").exists()


@pytest.mark.soak
def test_a_crowd_and_an_operator_leave_an_honest_sale(tmp_path: Path) -> None:
    arguments = ["--duration-s", "10", "--users", "25", "--results", str(tmp_path)]
    assert load.main(arguments) == 0
    (saved,) = tmp_path.glob("load-*Z.json")
    found = json.loads(saved.read_bytes())
    assert int(found["settings"]["wins"]) > 0
    assert sum(offer["orders"] for offer in found["offers"]) > 0
    assert saved.with_suffix(".html").exists()

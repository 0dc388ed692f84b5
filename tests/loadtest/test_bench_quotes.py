"""The benchmark of quotes: what it promises, and that it runs, in a shop as small as can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest import bench_quotes
from loadtest.bench_quotes import CONSTANT, FEW, MANY, Figures, Run


def run(target: str, repetition: int, replies_per_s: float, cpu_us: float) -> Run:
    return Run(target, repetition, replies_per_s, 1000, 2000, cpu_us)


def test_ratios_are_medians_of_pairs_of_one_repetition() -> None:
    """A machine that is slow for a while slows all targets of a repetition."""
    runs = []
    for repetition, slow in enumerate((1, 10, 2)):
        runs += [
            run(CONSTANT, repetition, 4000 / slow, 100 * slow),
            run(FEW, repetition, 1200 / slow, 500 * slow),
            run(MANY, repetition, 1000 / slow, 525 * slow),
        ]
    of_constant, costs_more = bench_quotes.ratios(runs)
    assert of_constant == pytest.approx(0.25)
    assert costs_more == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("of_constant", "costs_more", "p99_ms", "reached"),
    [(0.25, 0.1, 3.0, [True, True, True]), (0.249, 0.101, 3.1, [False, False, False])],
    ids=["reached", "missed"],
)
def test_goals_say_what_was_reached(
    of_constant: float, costs_more: float, p99_ms: float, reached: list[bool]
) -> None:
    engine = {"engine": {"median_ms": 1.0, "p99_ms": p99_ms, "wanted_ms": 3.0}}
    found = Figures(of_constant, costs_more, engine, [], [])
    assert [each for *_, each in bench_quotes.goals(found)] == reached


def quote(**about: Any) -> dict[str, Any]:
    lines = [{"payable": 90, "state": "ok", "campaign": f"in{number}"} for number in range(10)]
    return {"lines": lines, "subtotal": 1000, "discount": 100, "total": 900, "token": "t", **about}


@pytest.mark.parametrize(
    ("few", "many", "said"),
    [
        (quote(), quote(token="u"), []),
        (quote(), quote(currency="EUR"), ["another price"]),
        (quote(total=901), quote(total=901), ["the total is 901"]),
        (quote(discount=0, subtotal=900), quote(discount=0, subtotal=900), ["the discount"]),
        (quote(lines=[]), quote(lines=[]), ["the total", "cannot be bought", "joined"]),
    ],
    ids=["sound", "another-price", "total", "no-discount", "no-lines"],
)
def test_quotes_that_cannot_be_right_are_named(few: dict[str, Any], many: dict[str, Any], said: list[str]) -> None:
    told = bench_quotes.judge(few, many)
    assert len(told) == len(said)
    for breach, words in zip(told, said, strict=True):
        assert words in breach


@pytest.mark.soak
def test_a_benchmark_measures_a_real_sidecar(tmp_path: Path) -> None:
    small = ["--products", "60", "--campaigns", "215", "--carts", "3", "--connections", "4"]
    arguments = [*small, "--duration-s", "1", "--repetitions", "1", "--results", str(tmp_path)]
    assert bench_quotes.main(arguments) == 0
    written = json.loads((tmp_path / "quotes.json").read_bytes())
    assert {each["target"] for each in written["runs"]} == {CONSTANT, FEW, MANY}
    assert all(each["replies_per_s"] > 0 and each["cpu_us"] > 0 for each in written["runs"])
    assert written["breaches"] == []
    assert written["of_constant"] > 0
    assert set(written["engine"]) == {
        "engine, 10 lines",
        "engine, 10 lines, among 10,000 campaigns",
        "engine, 10 lines, explained",
        "best, 8 lines × 4 choices",
    }


def test_figures_are_shown_beside_what_was_wanted() -> None:
    console = Console(width=120, record=True, quiet=False, file=None)
    with console.capture() as shown:
        bench_quotes.show(Figures(0.2, 0.0, {}, [], ["a price was odd"]), console)
    assert "NO" in shown.get()
    assert "a price was odd" in shown.get()

"""Statistics and reports of the benchmark."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loadtest import figures, machine, report, writer_speed
from loadtest.figures import CONSTANT, Goal, Run
from loadtest.own_generator import percentile


def a_run(target: str, repetition: int, rate: float, *, scenario: str = "win", redis_us: float = 5.0) -> Run:
    return Run(
        scenario,
        256,
        target,
        repetition,
        clicks=1000,
        clicks_per_s=rate,
        p50_us=1000,
        p99_us=2000,
        p999_us=3000,
        gateway_cpu_us=25.0 if target == CONSTANT else 40.0,
        redis_cpu_us=redis_us,
        generator_cpu_share=0.3,
        batch_mean=100.0,
        local_share=0.0,
        outcomes={} if target == CONSTANT else {"won": 1000},
        failed=0,
    )


def test_a_ratio_pairs_runs_of_one_repetition() -> None:
    """Given a machine that halves its speed midway, when ratios are paired, then the noise cancels out."""
    rates = [(30.0, 40.0), (15.0, 20.0), (14.0, 20.0)]
    runs = [
        run
        for number, (gateway, constant) in enumerate(rates)
        for run in (a_run("relaxed", number, gateway), a_run(CONSTANT, number, constant))
    ]
    relaxed, constant = figures.rows(runs)
    assert relaxed.clicks_per_s == 15.0
    assert relaxed.of_constant == pytest.approx(0.75)
    assert relaxed.of_constant_by_cpu == pytest.approx(25 / 40)
    assert constant.of_constant is None
    assert relaxed.outcomes == {"won": 3000}


def test_runs_without_a_partner_have_no_ratio() -> None:
    runs = [a_run("relaxed", 0, 10.0), a_run(CONSTANT, 1, 20.0)]
    assert figures.rows(runs)[0].of_constant is None


def test_goals_say_reached_missed_and_not_measured() -> None:
    runs = [
        a_run("relaxed", 0, 60.0),
        a_run("strict", 0, 30.0),
        a_run(CONSTANT, 0, 100.0),
        a_run("batched", 0, 60.0, scenario="batching", redis_us=5.0),
        a_run("unbatched", 0, 20.0, scenario="batching", redis_us=40.0),
    ]
    found = figures.goals(runs, writer_orders_per_s={"sqlite": 25_000.0, "postgresql": 19_000.0}, resident_mb=130.0)
    by_name = {goal.name: goal for goal in found}
    assert by_name["win / constant, 256 connections"].reached is True
    assert by_name["win, strict / relaxed, 256 connections"].reached is False
    assert by_name["sold out / constant, 256 connections"].reached is None
    assert by_name["Redis CPU per click, batched / one by one"].value == pytest.approx(0.125)
    assert by_name["Redis CPU per click, batched / one by one"].reached is True
    assert by_name["writer into sqlite, orders/s"].reached is True
    assert by_name["writer into postgresql, orders/s"].reached is False
    assert by_name["gateway worker after a million shoppers, MB"].reached is False


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.001, 1)])
def test_percentiles_are_nearest_rank(share: float, value: int) -> None:
    assert percentile(list(range(1, 101)), share) == value


def test_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 0.5) == 0


@pytest.fixture
def found() -> report.Report:
    runs = [a_run("relaxed", 0, 60.0), a_run(CONSTANT, 0, 100.0), a_run("strict", 0, 55.0)]
    return report.Report(
        when="2026-11-21T12:00:00+00:00",
        machine=replace(machine.describe(), cpu="A <fast> CPU", commit="abc123", dirty=True),
        generator="wrk",
        settings={"duration_s": "4.0", "memory_shoppers": "1000000"},
        fsync_us=84.0,
        runs=runs,
        rows=figures.rows(runs),
        goals=[Goal("win / constant", 0.6, 0.55, True)],
        writer_orders_per_s={"sqlite": 25_000.0},
        catch_up_orders_per_s={"relaxed": 21_000.0},
        memory_mb=(50.0, 70.0),
        breaches=["bench1-kettle: unit 3 is held 2 times"],
    )


def test_a_report_is_written_as_json_chart_and_page(found: report.Report, tmp_path: Path) -> None:
    page = report.write(found, tmp_path)
    saved = json.loads(page.with_suffix(".json").read_bytes())
    assert saved["machine"]["commit"] == "abc123"
    assert saved["machine"]["dirty"] is True
    assert len(saved["runs"]) == 3
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    text = page.read_text(encoding="utf-8")
    assert "A &lt;fast&gt; CPU" in text
    assert "data:image/png;base64," in text
    assert "unit 3 is held 2 times" in text
    assert "http://" not in text


def test_the_table_shows_figures_and_breaches(found: report.Report) -> None:
    console = Console(width=200, record=True)
    report.show(found, console)
    text = console.export_text()
    for part in ("0.60", "A <fast> CPU", "(dirty)", "84 µs", "21,000 orders/s", "BROKEN", "70 MB after 1,000,000"):
        assert part in text


def test_the_writers_own_figures_are_read() -> None:
    lines = '{"database": "sqlite", "orders_per_s": 31000}\n{"database": "postgresql", "orders_per_s": 21000}\n'
    assert writer_speed.read(lines) == {"sqlite": 31_000.0, "postgresql": 21_000.0}
    assert writer_speed.SOAK_TEST.exists()


def test_the_machine_is_described() -> None:
    found = machine.describe()
    assert found.cores >= 1
    assert found.memory_mb > 0
    assert found.cpu
    assert found.packages["granian"]


def test_fsync_is_measured_and_leaves_nothing(tmp_path: Path) -> None:
    assert machine.fsync_us(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []

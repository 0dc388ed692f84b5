"""Given costs per click, when the model runs, then it does what queues do, and what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from loadtest import costs, simulation
from loadtest.costs import Costs, Measured, fit
from loadtest.planning import PRIMARIES, check, plan, try_out
from loadtest.queueing import BATCH_MAX, System, simulate

EVEN = Costs(
    gateway_click_us=40.0,
    gateway_call_us=40.0,
    gateway_sold_out_us=30.0,
    gateway_duplicate_us=40.0,
    redis_click_us=8.0,
    redis_call_us=40.0,
    redis_duplicate_us=3.0,
    fsync_us=50.0,
    generator_click_us=10.0,
    link_us=20.0,
    writer_order_us=30.0,
    request_bytes=300.0,
    won_reply_bytes=600.0,
    sold_out_reply_bytes=200.0,
    redis_request_bytes=60.0,
    redis_reply_bytes=100.0,
    aof_bytes_per_winner=250.0,
    redis_bytes_per_winner=500.0,
)


def test_the_same_seed_gives_the_same_outcome_and_another_seed_another() -> None:
    system = System(workers=2, clicks_per_s=30_000, duration_s=0.2)
    assert simulate(system, EVEN) == simulate(system, EVEN)
    assert simulate(system, EVEN) != simulate(system, EVEN, seed=8)


def test_a_closed_loop_answers_as_fast_as_its_worker_can() -> None:
    outcome = simulate(System(connections=256), EVEN)
    assert 0.9 * 1e6 / EVEN.gateway_click_us < outcome.clicks_per_s <= 1e6 / EVEN.gateway_click_us
    # As many clicks are under way as there are connections.
    assert outcome.p50_us == pytest.approx(256 * 1e6 / outcome.clicks_per_s, rel=0.1)


def test_calls_grow_with_the_connections_up_to_the_largest() -> None:
    batches = [simulate(System(connections=many), EVEN).batch_mean for many in (1, 16, 256, 4096)]
    assert batches[0] == 1
    assert batches == sorted(batches)
    assert batches[-1] <= BATCH_MAX


def test_a_slow_disk_is_hidden_by_larger_calls() -> None:
    quick, slow = (
        simulate(System(connections=256), replace(EVEN, fsync_us=fsync_us)) for fsync_us in (50.0, 2_000.0)
    )
    assert slow.clicks_per_s > 0.75 * quick.clicks_per_s
    lone = [
        simulate(System(connections=1), replace(EVEN, fsync_us=fsync_us)).p50_us for fsync_us in (50.0, 2_000.0)
    ]
    assert lone[1] - lone[0] == pytest.approx(1_950, rel=0.05)


def test_an_open_loop_is_answered_at_the_rate_at_which_it_comes_or_not_in_time() -> None:
    carried = try_out(100_000, 3, EVEN, clicks=20_000)
    assert carried.outcome is not None
    assert carried.outcome.clicks_per_s == pytest.approx(100_000, rel=0.05)
    assert carried.holds
    # A worker that is too slow: what comes in is more than what comes out, and waits.
    late = simulate(System(workers=1, clicks_per_s=50_000, duration_s=0.4), EVEN)
    assert late.clicks_per_s < 30_000
    assert late.p99_us > 20_000


def test_the_load_of_the_busiest_primary_falls_with_the_buckets() -> None:
    shares = [try_out(100_000, primaries, EVEN, clicks=2_000).full_share for primaries in PRIMARIES]
    assert [shares[0] / share for share in shares] == pytest.approx(PRIMARIES)


def test_a_plan_takes_the_fewest_primaries_that_hold() -> None:
    found = plan(100_000, 1_000_000, EVEN)
    assert found.chosen is not None
    assert found.chosen.primaries == 2
    assert not found.trials[0].holds
    assert plan(2_000_000, 1_000_000, EVEN).chosen is None


def test_costs_are_fitted_to_points_that_lie_on_a_line() -> None:
    points = [
        Measured("strict", 1, 1.0, batch, 1.0, 1.0, 40 + 30 / batch, 8 + 50 / batch, 10.0) for batch in (1, 4, 50)
    ]
    found = fit(points)
    assert found["gateway_click_us"] == pytest.approx(40)
    assert found["gateway_call_us"] == pytest.approx(30)
    assert found["redis_click_us"] == pytest.approx(8)
    assert found["redis_call_us"] == pytest.approx(50)


def test_the_model_agrees_with_what_was_measured() -> None:
    values, points, _ = costs.read()
    found = check(points, values)
    assert simulation.middle_error(found, "clicks/s") <= simulation.ERROR_MAX
    dearer = [replace(point, gateway_us=2 * point.gateway_us) for point in points]
    assert simulation.middle_error(check(dearer, values), "clicks/s") > simulation.ERROR_MAX


def test_the_plan_is_printed_with_every_cost_and_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulation.main(["--clicks-per-s", "20000", "--stock", "1000"]) == 0
    printed = capsys.readouterr().out
    assert "20,000/s" in printed
    _, _, data = costs.read()
    assert set(data["costs"]) == set(Costs.__dataclass_fields__)
    assert all(each["source"] for each in data["costs"].values())


def test_the_check_draws_what_it_compares() -> None:
    values, points, _ = costs.read()
    found = check(points[:2], values)
    assert simulation.chart(found).startswith(b"\x89PNG")
    Console(quiet=True).print(simulation.check_table(found))

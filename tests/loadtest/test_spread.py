"""Given what primaries have done, the busiest one's share is told, and too large a share is a breach."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from loadtest import bench_spread
from loadtest.bench_spread import BATCHES, ONE_BY_ONE
from loadtest.checks import OfferFacts, Order, Story, units_once
from loadtest.cluster_stack import Work


def row(series: str, *commands: int) -> bench_spread.Spread:
    return bench_spread.spread(series, 100, [Work(each // 10, each, each / 1e6) for each in commands])


def test_figures_are_per_click_of_the_whole_sale() -> None:
    found = row(ONE_BY_ONE, 400, 600, 500)
    assert (found.primaries, found.busiest_commands, found.share) == (3, 6.0, 0.4)
    assert found.busiest_cpu_us == pytest.approx(6.0)
    assert Work(5, 50, 2.0).since(Work(1, 20, 0.5)) == Work(4, 30, 1.5)


def test_more_than_its_share_is_a_breach_where_every_click_is_a_call() -> None:
    even, odd = (500, 500, 500), (900, 300, 300)
    assert bench_spread.breaches_of([row(ONE_BY_ONE, 1500), row(ONE_BY_ONE, *even), row(BATCHES, *odd)]) == []
    assert len(bench_spread.breaches_of([row(ONE_BY_ONE, *odd)])) == 1


def test_the_report_has_every_cluster(tmp_path: Path) -> None:
    rows = [row(series, *[1500 // count] * count) for series in (ONE_BY_ONE, BATCHES) for count in (1, 2, 3)]
    data, png, page = bench_spread.write(bench_spread.Found({}, rows, ["broken"]), tmp_path)
    assert [each["primaries"] for each in orjson.loads(data.read_bytes())["rows"]] == [1, 2, 3] * 2
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "broken" in page.read_text()


@pytest.mark.parametrize(("gaps", "breaches"), [(False, ["unit 1 was skipped"]), (True, [])])
def test_buckets_may_leave_numbers_out(gaps: bool, breaches: list[str]) -> None:
    order = Order("n1", "amy", (7,), (), 9900, "pending")
    facts = OfferFacts("kettle", 10, 9, 1, 0, 1, (order,), gaps=gaps)
    assert units_once(facts, Story((), ())) == breaches


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_small_run_is_clean(tmp_path: Path) -> None:
    assert bench_spread.main(["--clicks", "1000", "--primaries", "1", "3", "--results", str(tmp_path)]) == 0
    rows = orjson.loads((tmp_path / "spread.json").read_bytes())["rows"]
    one, three = (each for each in rows if each["series"] == ONE_BY_ONE)
    assert max(three["commands"]) / three["clicks"] < max(one["commands"]) / one["clicks"] / 2.2

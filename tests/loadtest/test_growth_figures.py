"""Given runs on grown and on small systems, when growth is judged, then flat, linear and worse are told apart."""

from __future__ import annotations

import pytest

from loadtest.growth_figures import Point, chart, rows, verdicts

SIZES = (1, 10, 100)


def grown(series: str, cost_us: dict[int, float], *, noise: float = 1.0) -> list[Point]:
    """Two runs of each size; the second on a machine that is slower by `noise` in all it does."""
    return [
        Point("offers", series, size, number, 1000.0, each * slow, 10.0 * slow, 40.0 * slow, 10.0 * slow, 50.0)
        for size, each in cost_us.items()
        for number, slow in enumerate((1.0, noise))
    ]


def test_a_cost_that_stays_is_flat_whatever_the_machine_does_meanwhile() -> None:
    (found,) = verdicts(rows(grown("one", dict.fromkeys(SIZES, 40.0), noise=3.0)))
    assert found.growth == pytest.approx(1)
    assert found.flat
    assert found.linear


def test_a_cost_that_grows_with_the_size_is_linear_and_not_flat() -> None:
    (found,) = verdicts(rows(grown("one", {1: 40.0, 10: 490.0, 100: 4_900.0})))
    assert found.slope == pytest.approx(1, abs=0.01)
    assert found.linear
    assert not found.flat


def test_a_cost_that_grows_faster_is_worse_than_linear() -> None:
    (found,) = verdicts(rows(grown("one", {1: 40.0, 10: 50.0, 100: 40_000.0})))
    assert found.slope > 2
    assert not found.linear


def test_sizes_come_in_order_of_their_number() -> None:
    points = grown("all", {100: 40.0, 9: 40.0, 20: 40.0})
    assert [row.size for row in rows(points)] == [9, 20, 100]


def test_the_chart_has_a_panel_per_kind() -> None:
    assert chart(grown("one", dict.fromkeys(SIZES, 40.0)), {"offers": "offers on sale"}).startswith(b"\x89PNG")

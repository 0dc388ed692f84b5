"""The benchmarks of watchers and of growth against a real system, as short as they can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest import bench_growth, bench_watchers

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]


def test_watchers_hear_while_others_click(tmp_path: Path) -> None:
    assert bench_watchers.main(["--quick", "--results", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "watchers.json").read_bytes())
    assert found["breaches"] == []
    for pair in found["pairs"]:
        assert pair["heard"]["open_at_end"] == pair["heard"]["watchers"] == 200
        assert pair["heard"]["events_per_s"] > 0
        assert pair["heard"]["quiet"]["samples"] > 0
        assert 0 <= pair["heard"]["quiet"]["p50"] <= pair["heard"]["quiet"]["p99"]


def test_growth_is_measured_and_judged(tmp_path: Path) -> None:
    bench_growth.main(["--quick", "--results", str(tmp_path)])
    found = json.loads((tmp_path / "growth.json").read_bytes())
    assert found["breaches"] == []
    assert {row["axis"] for row in found["rows"]} == {"offers", "shoppers", "buyers", "workers"}
    assert all(value > 0 for name, value in found["memory"].items() if "winner" in name)
    assert (tmp_path / "growth.html").read_text().count("data:image/png") == 1

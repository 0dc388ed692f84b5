"""Given a sale under the faults of a seed, nobody loses what they were told, and nothing is sold twice.

`make soak` runs as many seeds as it is told; here are two, and every plan that once failed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.plans import Plan, from_json, plan
from tests.faults.run import run_plan

FAULTS = 3
FAILED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "failed_plans.json").read_text())


def keeps_every_promise(folder: Path, given: Plan) -> None:
    result, injected = run_plan(given, folder)
    assert not result.breaches, "\n".join(map(str, [*given.faults, *result.breaches]))
    assert len(injected) == len(given.faults)
    assert result.outcomes["won"] > 50


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("seed", "database"), [(3, "sqlite"), pytest.param(4, "postgres", marks=pytest.mark.postgres)]
)
def test_a_sale_under_faults_keeps_every_promise(tmp_path: Path, seed: int, database: str) -> None:
    keeps_every_promise(tmp_path, plan(seed, FAULTS, database))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kept", FAILED, ids=lambda kept: kept["was"])
def test_a_plan_that_once_broke_one(tmp_path: Path, kept: dict[str, Any]) -> None:
    keeps_every_promise(tmp_path, from_json({name: kept[name] for name in ("seed", "database", "faults")}))

"""Given a sale under the faults of a seed, nobody loses what they were told, and nothing is sold twice.

In the suite each process is killed once. `make soak` runs as many seeds as it is told, and every plan that has
failed before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.plans import Fault, Plan, from_json
from tests.faults.run import run_plan

KILLS = (
    ("gateway worker", "before script"),
    ("redis", "after script"),
    ("gateway main", "after reply"),
    ("writer", "after commit"),
    ("writer", "after ack"),
    ("sidecar", "after reply"),
)
DATABASE_FAULTS = (
    ("kill", "database", "before commit"),
    ("kill", "database", "at commit"),
    ("lose replies", "writer-database", "at commit"),
    ("kill", "writer", "at commit"),
)
FAILED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "failed_plans.json").read_text())


def keeps_every_promise(folder: Path, given: Plan) -> None:
    result, injected = run_plan(given, folder)
    assert not result.breaches, "\n".join(map(str, [*given.faults, *result.breaches]))
    missed = [str(each.fault) for each in injected if not each.reached]
    assert len(injected) - len(missed) >= len(given.faults) - 1, missed
    assert result.outcomes["won"] > 50


@pytest.mark.timeout(180)
def test_each_process_killed_at_each_point_of_a_win(tmp_path: Path) -> None:
    faults = [Fault("kill", target, point, 0.4, 0.2, lose=True, amount=0.3) for target, point in KILLS]
    keeps_every_promise(tmp_path, Plan(21, "sqlite", tuple(faults)))


@pytest.mark.soak
@pytest.mark.timeout(180)
@pytest.mark.postgres
def test_a_commit_that_nobody_can_be_sure_of(tmp_path: Path) -> None:
    faults = [Fault(*each, 0.4, 0.5, lose=True, amount=0.3) for each in DATABASE_FAULTS]
    keeps_every_promise(tmp_path, Plan(22, "postgres", tuple(faults)))


@pytest.mark.soak
@pytest.mark.timeout(180)
@pytest.mark.parametrize("kept", FAILED, ids=lambda kept: kept["was"])
def test_a_plan_that_once_broke_one(tmp_path: Path, kept: dict[str, Any]) -> None:
    keeps_every_promise(tmp_path, from_json({name: kept[name] for name in ("seed", "database", "faults")}))

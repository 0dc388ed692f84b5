"""Given a seed, its plan is always the same, and the plans of many seeds reach every field of the matrix."""

from __future__ import annotations

import json

from tests.faults.plans import ANY, MATRIX, POINTS, as_json, every_cell, from_json, plan


def test_a_seed_reproduces_its_faults() -> None:
    assert plan(7) == plan(7)
    assert plan(7).faults != plan(8).faults
    assert plan(7, 3).faults == plan(7, 8).faults[:3]


def test_a_plan_that_is_kept_is_the_same_plan() -> None:
    assert from_json(json.loads(json.dumps(as_json(plan(7))))) == plan(7)


def test_every_kind_of_fault_is_drawn_at_every_point_where_it_makes_sense() -> None:
    drawn = {
        (fault.kind, fault.target, fault.point)
        for seed in range(150)
        for database in ("sqlite", "postgres")
        for fault in plan(seed, 40, database).faults
    }
    wanted = {(cell.kind, cell.target, point) for cell in MATRIX for point in cell.points}
    assert not wanted - drawn


def test_the_matrix_is_dealt_whole_and_each_field_once() -> None:
    dealt = [(fault.kind, fault.target, fault.point) for each in every_cell(5) for fault in each.faults]
    assert sorted(dealt) == sorted((cell.kind, cell.target, point) for cell in MATRIX for point in cell.points)
    assert every_cell(5) == every_cell(5)


def test_every_point_is_one_that_a_way_can_see() -> None:
    assert {point for cell in MATRIX for point in cell.points} <= {ANY, *POINTS}


def test_faults_of_postgresql_are_not_drawn_without_it() -> None:
    assert not any(
        "database" in fault.target
        for seed in range(100)
        for fault in plan(seed, 20, "sqlite").faults
        if fault.kind not in {"pause"}
    )

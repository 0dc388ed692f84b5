"""Seeded plans: a seed gives the faults of a run, and the same seed always the same ones, however many.

A fault is drawn from a matrix of kinds and targets; then one of the points at which it makes sense is drawn.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

POINTS = {
    "before script": ("gateway-redis", "request", "admit"),
    "after script": ("gateway-redis", "reply", "admit"),
    "after reply": ("gateway-redis", "sent", "admit"),
    "after commit": ("writer-redis", "request", "settle"),
    "after ack": ("writer-redis", "reply", "settle"),
    "before commit": ("writer-database", "request", "COMMIT"),
    "at commit": ("writer-database", "reply", "COMMIT"),
    # Of an offer with several buckets: units move from one to another, or are cut in one after the other.
    "before give": ("gateway-redis", "request", "give"),
    "after give": ("gateway-redis", "reply", "give"),
    "before receive": ("gateway-redis", "request", "receive"),
    "after receive": ("gateway-redis", "reply", "receive"),
    "before close": ("gateway-redis", "request", "close"),
    "after close": ("gateway-redis", "reply", "close"),
    "in a cut": ("sidecar-redis", "request", "freeze"),
    "after a cut": ("sidecar-redis", "reply", "freeze"),
}
"""Each point: the way on which it is seen, the place there, and the command that marks it."""

ANY = "any"
FIVE = ("before script", "after script", "after reply", "after commit", "after ack")
GATEWAY_POINTS = FIVE[:3]
WRITER_POINTS = FIVE[3:]
COMMIT_POINTS = ("before commit", "at commit")


@dataclass(frozen=True)
class Fault:
    """One fault. `wait_s` before it, `lasts_s` until it is over; `lose`: what is held at the point is lost."""

    kind: str
    target: str
    point: str
    wait_s: float
    lasts_s: float
    lose: bool
    amount: float

    def __str__(self) -> str:
        return f"{self.kind} {self.target} @ {self.point}"


@dataclass(frozen=True)
class Cell:
    """One field of the matrix: how often it is drawn, at which points, how long it lasts at least and at most."""

    kind: str
    target: str
    weight: int
    points: tuple[str, ...]
    lasts_s: tuple[float, float]
    database: str = ""


def _processes() -> list[Cell]:
    cells = []
    for target in ("gateway worker", "gateway main", "writer", "sidecar", "redis"):
        often = 1 if target == "sidecar" else 3
        cells += [
            Cell("kill", target, often + 1, FIVE, (0.0, 0.6)),
            Cell("term", target, often, FIVE, (0.0, 0.4)),
            Cell("pause", target, often, FIVE, (0.3, 1.8)),
        ]
    cells += [
        Cell("kill", "database", 4, (*FIVE, *COMMIT_POINTS), (0.0, 1.0), "postgres"),
        Cell("pause", "database", 4, (*FIVE, *COMMIT_POINTS), (0.3, 2.5), "postgres"),
        Cell("pause", "database", 3, FIVE, (0.3, 2.5), "sqlite"),
        Cell("sleep through a takeover", "writer", 3, FIVE, (1.6, 2.4)),
        Cell("second writer", "writer", 2, WRITER_POINTS, (0.5, 1.5)),
        Cell("change workers", "gateway main", 1, (ANY,), (0.0, 0.0)),
    ]
    return cells


def _ways() -> list[Cell]:
    cells = []
    for kind, lasts_s in (
        ("cut", (0.0, 0.0)),
        ("reset", (0.0, 0.0)),
        ("refuse", (0.2, 1.0)),
        ("lose replies", (0.2, 1.2)),
        ("lose requests", (0.2, 1.2)),
        ("half-open", (0.5, 1.8)),
        ("delay", (0.5, 1.5)),
        ("slice", (0.4, 1.0)),
        ("narrow", (0.4, 1.0)),
    ):
        cells += [
            Cell(kind, "gateway-redis", 2, GATEWAY_POINTS, lasts_s),
            Cell(kind, "writer-redis", 1, WRITER_POINTS, lasts_s),
            Cell(kind, "sidecar-redis", 1, (ANY,), lasts_s),
            Cell(kind, "writer-database", 2, COMMIT_POINTS, lasts_s, "postgres"),
        ]
    return cells


def _redis() -> list[Cell]:
    return [
        Cell("script flush", "redis", 2, FIVE, (0.0, 0.0)),
        Cell("out of memory", "redis", 2, FIVE, (0.3, 1.2)),
        Cell("disk full", "redis", 2, FIVE, (0.3, 1.0)),
        Cell("power loss", "redis", 5, FIVE, (0.0, 0.3)),
        Cell("rewrite", "redis", 1, FIVE, (0.0, 0.0)),
        Cell("data lost", "redis", 2, (ANY,), (0.0, 0.3)),
        Cell("old backup", "redis", 2, (ANY,), (0.0, 0.3)),
    ]


MATRIX = (*_processes(), *_ways(), *_redis())


@dataclass(frozen=True)
class Plan:
    """The faults of one run."""

    seed: int
    database: str
    faults: tuple[Fault, ...]


def plan(seed: int, count: int = 8, database: str | None = None) -> Plan:
    """The plan of a seed; every fourth runs on PostgreSQL unless a database is named."""
    drawn = "postgres" if random.Random(seed).random() < 0.25 else "sqlite"
    database = database or drawn
    return Plan(seed, database, tuple(_fault(f"{seed} {number}", database) for number in range(count)))


def every_cell(seed: int, count: int = 8) -> list[Plan]:
    """Plans that together have every fault of the matrix at every point where it makes sense, once."""
    plans = []
    for database in ("sqlite", "postgres"):
        cells = [(cell, point) for cell in MATRIX if cell.database in _ONLY_ON[database] for point in cell.points]
        random.Random(f"{seed} {database}").shuffle(cells)
        faults = [_made(cell, point, random.Random(f"{seed} {cell} {point}")) for cell, point in cells]
        for first in range(0, len(faults), count):
            plans.append(Plan(seed + len(plans), database, tuple(faults[first : first + count])))
    return plans


_ONLY_ON = {"sqlite": {"", "sqlite"}, "postgres": {"postgres"}}
"""Where a cell is made in `every_cell`: what needs no PostgreSQL is made without it."""


def _fault(seed: str, database: str) -> Fault:
    dice = random.Random(seed)
    cells = [cell for cell in MATRIX if cell.database in {"", database}]
    cell = dice.choices(cells, [cell.weight for cell in cells])[0]
    return _made(cell, dice.choice(cell.points), dice)


def _made(cell: Cell, point: str, dice: random.Random) -> Fault:
    return Fault(
        cell.kind,
        cell.target,
        point,
        wait_s=round(dice.uniform(0.1, 1.2), 3),
        lasts_s=round(dice.uniform(*cell.lasts_s), 3),
        lose=dice.random() < 0.5,
        amount=round(dice.random(), 3),
    )


def as_json(plan: Plan) -> dict[str, Any]:
    """A plan to be kept, whatever becomes of the matrix."""
    return {"seed": plan.seed, "database": plan.database, "faults": [asdict(fault) for fault in plan.faults]}


def from_json(kept: dict[str, Any]) -> Plan:
    """A plan that was kept."""
    return Plan(kept["seed"], kept["database"], tuple(Fault(**fault) for fault in kept["faults"]))

"""What growth costs: figures of grown systems beside a small one at the same time, and whether they stay flat."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from loadtest.charts import Curves, Line, draw

FLAT_MAX = 1.25
"""A click is flat when it costs at most this much more at the largest size than at the smallest."""
LINEAR_MAX = 1.0
"""Largest slope in a chart of logarithms that is not worse than linear."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run on a grown system, and one on a small system next to it. CPU is µs per click."""

    axis: str
    series: str
    size: int
    repetition: int
    clicks_per_s: float
    gateway_us: float
    redis_us: float
    small_gateway_us: float
    small_redis_us: float
    batch_mean: float


WHOSE: dict[str, tuple[Callable[[Point], float], Callable[[Point], float]]] = {
    "gateway": (lambda point: point.gateway_us, lambda point: point.small_gateway_us),
    "Redis": (lambda point: point.redis_us, lambda point: point.small_redis_us),
}
"""CPU per click on the grown and on the small system."""


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of all runs of one size. Ratios are medians of pairs: grown / small."""

    axis: str
    series: str
    size: int
    clicks_per_s: float
    gateway_us: float
    redis_us: float
    gateway_ratio: float
    redis_ratio: float
    batch_mean: float

    @property
    def ratio(self) -> float:
        """CPU of gateway and Redis together, as a multiple of the small system's."""
        small_us = self.gateway_us / self.gateway_ratio + self.redis_us / self.redis_ratio
        return (self.gateway_us + self.redis_us) / small_us


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a series grows: cost at the largest size / at the smallest, and the steepest slope of logarithms."""

    axis: str
    series: str
    growth: float
    slope: float

    @property
    def flat(self) -> bool:
        """Whether a click costs the same at every size."""
        return self.growth <= FLAT_MAX

    @property
    def linear(self) -> bool:
        """Whether it grows no faster than the size does."""
        return self.slope <= LINEAR_MAX


def rows(points: Sequence[Point]) -> list[Row]:
    """One row per series and size, in order."""
    found = []
    for axis, series, size in sorted(
        {(p.axis, p.series, p.size) for p in points}, key=lambda key: [str(part) for part in key[:2]] + [key[2]]
    ):
        chosen = [p for p in points if (p.axis, p.series, p.size) == (axis, series, size)]
        found.append(
            Row(
                axis,
                series,
                size,
                median(p.clicks_per_s for p in chosen),
                median(p.gateway_us for p in chosen),
                median(p.redis_us for p in chosen),
                median(p.gateway_us / p.small_gateway_us for p in chosen),
                median(p.redis_us / p.small_redis_us for p in chosen),
                median(p.batch_mean for p in chosen),
            )
        )
    return found


def verdicts(found: Sequence[Row]) -> list[Verdict]:
    """One verdict per series that has several sizes."""
    judged = []
    for axis, series in dict.fromkeys((row.axis, row.series) for row in found):
        chosen = [row for row in found if (row.axis, row.series) == (axis, series)]
        if len(chosen) < 2:
            continue
        slopes = [
            math.log(after.ratio / before.ratio) / math.log(after.size / max(1, before.size))
            for before, after in pairwise(chosen)
        ]
        judged.append(Verdict(axis, series, chosen[-1].ratio / chosen[0].ratio, max(slopes)))
    return judged


def chart(points: Sequence[Point], labels: dict[str, str]) -> bytes:
    """A PNG with one panel per kind of growth (name → label): CPU per click against the size, all runs.

    What a machine does besides slows both runs of a pair: so their ratio is drawn, times the small one's median.
    """
    usual = {whose: median(small(point) for point in points) for whose, (_, small) in WHOSE.items()}
    panels = []
    for axis, label in labels.items():
        lines = []
        series = sorted({point.series for point in points if point.axis == axis}, reverse=True)
        for number, name in enumerate(series):
            chosen = [point for point in points if (point.axis, point.series) == (axis, name)]
            sizes = sorted({point.size for point in chosen})
            beside = ", on all offers" if number else ""
            lines += [
                Line(
                    f"{whose}{beside}",
                    [max(1, size) for size in sizes],
                    [
                        [usual[whose] * of(point) / small(point) for point in chosen if point.size == size]
                        for size in sizes
                    ],
                    2 * number + hue,
                )
                for hue, (whose, (of, small)) in enumerate(WHOSE.items())
            ]
        panels.append(
            Curves(f"More {label}", "CPU per click, µs", label, lines, x_log=2 if axis == "workers" else 10)
        )
    return draw(panels, columns=2)

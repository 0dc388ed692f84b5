"""What growth costs: figures of grown systems beside a small one at the same time, and whether they stay flat."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from matplotlib.figure import Figure

FLAT_MAX = 1.25
"""A click is flat when it costs at most this much more at the largest size than at the smallest."""
LINEAR_MAX = 1.0
"""Largest slope in a chart of logarithms that is not worse than linear."""
COLOURS = {"gateway": "#1a73e8", "Redis": "#d93025"}
STYLES = ("o-", "s--", "^:")


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


def chart(found: Sequence[Row], axes_shown: dict[str, str]) -> bytes:
    """A PNG with one panel per axis (name → label): CPU per click against the size, beside the small system."""
    figure = Figure(figsize=(11, 4.2 * math.ceil(len(axes_shown) / 2)), layout="constrained")
    panels = figure.subplots(math.ceil(len(axes_shown) / 2), 2, squeeze=False).flatten()
    for panel, (axis, label) in zip(panels, axes_shown.items(), strict=False):
        chosen = [row for row in found if row.axis == axis]
        for style, series in zip(STYLES, dict.fromkeys(row.series for row in chosen), strict=False):
            line = [row for row in chosen if row.series == series]
            sizes = [max(1, row.size) for row in line]
            panel.plot(
                sizes,
                [row.gateway_us for row in line],
                style,
                color=COLOURS["gateway"],
                label=f"gateway, {series}",
            )
            panel.plot(
                sizes, [row.redis_us for row in line], style, color=COLOURS["Redis"], label=f"Redis, {series}"
            )
        panel.set_xscale("log", base=2 if axis == "workers" else 10)
        panel.set_ylim(bottom=0)
        panel.set_xlabel(label)
        panel.set_ylabel("CPU per click, µs")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()

"""What one click costs, and where each figure comes from: the one file that the model of capacity works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import orjson

from loadtest.processes import ROOT

PATH = ROOT / "loadtest" / "capacity.json"
"""Costs with unit and source, and the measured points that the model is held against. `--measure` writes it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU times are µs; `_click_` is per click, `_call_` per script call whatever its size."""

    gateway_click_us: float
    gateway_call_us: float
    gateway_sold_out_us: float
    gateway_duplicate_us: float
    redis_click_us: float
    redis_call_us: float
    redis_duplicate_us: float
    fsync_us: float
    generator_click_us: float
    link_us: float
    writer_order_us: float
    request_bytes: float
    won_reply_bytes: float
    sold_out_reply_bytes: float
    redis_request_bytes: float
    redis_reply_bytes: float
    aof_bytes_per_winner: float
    redis_bytes_per_winner: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The best of some runs of winning clicks in a closed loop. Latencies are µs."""

    durability: str
    connections: int
    clicks_per_s: float
    batch_mean: float
    p50_us: float
    p99_us: float
    gateway_us: float
    redis_us: float
    generator_us: float


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """The line a + b·x that is nearest to points with x, y ≥ 0, with a and b not below 0: (a, b)."""
    mid_x, mid_y = mean(xs), mean(ys)
    spread = sum((x - mid_x) ** 2 for x in xs)
    slope = sum((x - mid_x) * (y - mid_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    slope = max(0.0, slope)
    return max(0.0, mid_y - slope * mid_x), slope


def fit(points: Sequence[Measured]) -> dict[str, float]:
    """Cost per click and per call of gateway and Redis, from how the cost of a click falls with the batch."""
    calls_per_click = [1 / point.batch_mean for point in points]
    gateway = line(calls_per_click, [point.gateway_us for point in points])
    redis = line(calls_per_click, [point.redis_us for point in points])
    return {
        "gateway_click_us": gateway[0],
        "gateway_call_us": gateway[1],
        "redis_click_us": redis[0],
        "redis_call_us": redis[1],
        "generator_click_us": median(point.generator_us for point in points),
    }


def read(path: Path = PATH) -> tuple[Costs, list[Measured], dict[str, Any]]:
    """Costs, measured points, and the whole file."""
    data = orjson.loads(path.read_bytes())
    values = {name: each["value"] for name, each in data["costs"].items()}
    return Costs(**values), [Measured(**each) for each in data["points"]], data


def each_with_source(values: dict[str, float], source: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """Costs as the file has them: value, unit, source."""
    return {
        name: {"value": round(value, 2), "unit": "bytes" if "bytes" in name else "µs", "source": source(name)}
        for name, value in values.items()
    }

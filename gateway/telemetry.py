"""Metrics of all workers together, and logging.

Workers count in plain integers on the click path and hand their totals over a few times a second; the files of
prometheus-client's multiprocess mode carry them to the gateway's main process, which serves `/metrics`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from gateway import keys
from gateway.settings import Settings
from gateway.store import connect

_BATCH_CLICKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_BATCH_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Metrics:
    """What one worker reports. Create it only after `PROMETHEUS_MULTIPROC_DIR` is set."""

    def __init__(self) -> None:
        self.clicks = Counter("seckill_clicks", "Clicks answered, by outcome", ["outcome"])
        self.local = Counter("seckill_clicks_local", "Clicks answered without asking Redis")
        self.batch_clicks = Histogram("seckill_batch_clicks", "Clicks per script call", buckets=_BATCH_CLICKS)
        self.batch_seconds = Histogram(
            "seckill_batch_seconds", "Round trip of a script call, seconds", buckets=_BATCH_SECONDS
        )
        self.ready = Gauge("seckill_workers_ready", "Workers able to sell", multiprocess_mode="livesum")
        self.watchers = Gauge("seckill_watchers", "Open event streams", multiprocess_mode="livesum")

    def batch_done(self, clicks: int, seconds: float) -> None:
        """Count a script call."""
        self.batch_clicks.observe(clicks)
        self.batch_seconds.observe(seconds)


class RedisCollector(Collector):
    """Backlog and dead letters, read from Redis when the metrics are asked for."""

    def __init__(self, settings: Settings) -> None:
        self._client = connect(settings.redis_url, timeout_s=1.0)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """One gauge per total; `seckill_redis_up` is 0 and the rest absent when Redis is away."""
        try:
            totals = dict.fromkeys(("issued", "committed", "dead"), 0)
            for shard in keys.shards():
                counters: Any = self._client.hgetall(keys.counters(shard))
                for name in totals:
                    totals[name] += int(counters.get(name.encode(), 0))
        except (RedisError, OSError):
            yield GaugeMetricFamily("seckill_redis_up", "Whether Redis answers", 0)
            return
        yield GaugeMetricFamily("seckill_redis_up", "Whether Redis answers", 1)
        yield GaugeMetricFamily("seckill_winners_issued", "Winners decided by Redis", totals["issued"])
        yield GaugeMetricFamily("seckill_winners_committed", "Winners settled by the writer", totals["committed"])
        yield GaugeMetricFamily(
            "seckill_backlog", "Winners waiting for the writer", totals["issued"] - totals["committed"]
        )
        yield GaugeMetricFamily("seckill_dead_letters", "Winners that could not be written", totals["dead"])


def registry_of_all_workers(settings: Settings) -> CollectorRegistry:
    """The registry that the main process serves."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(RedisCollector(settings))
    return registry


def set_up_logging(settings: Settings, role: str) -> None:
    """One line per event on standard error: time, level, role, where, what."""
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format=f"%(asctime)s %(levelname)s {role}[{os.getpid()}] %(name)s: %(message)s",
        force=True,
    )


def deltas(now: list[int], before: list[int]) -> Iterator[tuple[int, int]]:
    """(index, increase) of every count that grew."""
    for index, (count, earlier) in enumerate(zip(now, before, strict=True)):
        if count != earlier:
            yield index, count - earlier

"""A small, seeded simulation of the hot path: workers gather clicks into calls, Redis servers decide them.

What it knows of the real system, and nothing else: a worker works on everything that has come since its last turn;
per bucket at most so many calls are under way, and meanwhile clicks gather; a Redis server runs all calls that have
come, then syncs its file once, then replies to all. What a click and a call cost comes from `loadtest.costs`.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from loadtest.costs import Costs
from loadtest.own_generator import percentile

BATCH_MAX = 256
IN_FLIGHT_MAX = 2
RECEIVE_SHARE, ADMIT_SHARE, TELL_SHARE, SEND_SHARE = 0.25, 0.35, 0.2, 0.2
"""Parts of a worker's cost of a click: the server reads it, Python admits it, Python tells, the server sends."""
WARM_UP_SHARE = 0.2
SEED = 7


@dataclass(frozen=True, slots=True)
class System:
    """What is simulated: a closed loop of `connections`, or (open loop) `clicks_per_s` that come by themselves.

    `shared_core`: the generator runs on the core of the one Redis, as it does in the benchmark.
    """

    workers: int = 1
    primaries: int = 1
    buckets: int = 1
    strict: bool = True
    connections: int = 0
    clicks_per_s: float = 0.0
    shared_core: bool = False
    duration_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out. Shares are of one core's time; latencies µs, from a click's sending to its answer."""

    clicks_per_s: float
    batch_mean: float
    p50_us: int
    p99_us: int
    gateway_share: float
    redis_share: float
    syncs_per_s: float


@dataclass(slots=True)
class _Worker:
    """The server's thread and Python's take turns on one core, each with all that has come for it meanwhile."""

    inbox: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    python_next: bool = False
    replies: list[tuple[int, list[float]]] = field(default_factory=list)
    queues: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    in_flight: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    busy: bool = False


@dataclass(slots=True)
class _Redis:
    calls: list[tuple[_Worker, int, list[float]]] = field(default_factory=list)
    busy: bool = False
    used_us: float = 0.0


class Simulation:
    """One run; times inside are µs since its beginning."""

    def __init__(self, system: System, costs: Costs, seed: int = SEED) -> None:
        self._system = system
        self._costs = costs
        self._random = random.Random(seed)
        self._workers = [_Worker() for _ in range(system.workers)]
        self._redis = [_Redis() for _ in range(system.primaries)]
        self._events: list[tuple[float, int, Any, tuple[Any, ...]]] = []
        self._numbers = count()
        self._others_free_us = 0.0
        self._end_us = system.duration_s * 1e6
        self._begin_us = self._end_us * WARM_UP_SHARE
        self._latencies: list[int] = []
        self._calls = self._decided = self._syncs = 0
        self._gateway_us = 0.0

    def _at(self, when_us: float, what: Any, *arguments: Any) -> None:
        heapq.heappush(self._events, (when_us, next(self._numbers), what, arguments))

    def run(self) -> Outcome:
        """Simulate from an empty system; the first part is not counted."""
        system = self._system
        for number in range(system.connections):
            worker = self._workers[number % system.workers]
            self._at(number * self._costs.generator_click_us, self._arrive, worker)
        if system.clicks_per_s:
            for worker in self._workers:
                self._at(self._gap_us(), self._come, worker)
        while self._events and self._events[0][0] < self._end_us:
            now_us, _, what, arguments = heapq.heappop(self._events)
            what(now_us, *arguments)
        counted_s = (self._end_us - self._begin_us) / 1e6
        ordered = sorted(self._latencies)
        return Outcome(
            len(ordered) / counted_s,
            self._decided / max(1, self._calls),
            percentile(ordered, 0.5),
            percentile(ordered, 0.99),
            self._gateway_us / system.workers / counted_s / 1e6,
            # What began before the counted time may end in it.
            min(1.0, max(each.used_us for each in self._redis) / counted_s / 1e6),
            self._syncs / system.primaries / counted_s,
        )

    def _gap_us(self) -> float:
        return self._random.expovariate(self._system.clicks_per_s / self._system.workers / 1e6)

    def _come(self, now_us: float, worker: _Worker) -> None:
        self._arrive(now_us, worker)
        self._at(now_us + self._gap_us(), self._come, worker)

    def _arrive(self, now_us: float, worker: _Worker) -> None:
        worker.inbox.append(now_us)
        self._wake(now_us, worker)

    def _wake(self, now_us: float, worker: _Worker) -> None:
        if worker.busy:
            return
        for_server, for_python = worker.inbox or worker.told, worker.read or worker.replies
        if not for_server and not for_python:
            return
        worker.busy = True
        if for_python and (worker.python_next or not for_server):
            self._python(now_us, worker)
        else:
            self._server(now_us, worker)

    def _server(self, now_us: float, worker: _Worker) -> None:
        """Read every request that has come, send every reply there is."""
        each_us = self._costs.gateway_click_us
        clicks, worker.inbox = worker.inbox, []
        told, worker.told = worker.told, []
        cost_us = each_us * (len(clicks) * RECEIVE_SHARE + len(told) * SEND_SHARE)
        if now_us >= self._begin_us:
            self._gateway_us += cost_us
        worker.python_next = True
        self._at(now_us + cost_us, self._server_over, worker, clicks, told)

    def _server_over(self, now_us: float, worker: _Worker, clicks: list[float], told: list[float]) -> None:
        worker.read += clicks
        if now_us >= self._begin_us:
            self._latencies += [round(now_us - came_us) for came_us in told]
        if self._system.connections and told:
            self._click_again(now_us, worker, len(told))
        worker.busy = False
        self._wake(now_us, worker)

    def _python(self, now_us: float, worker: _Worker) -> None:
        """Admit every click that was read, take over every reply of Redis; calls leave at the end."""
        costs = self._costs
        clicks, worker.read = worker.read, []
        replies, worker.replies = worker.replies, []
        worker.python_next = False
        cost_us = len(clicks) * costs.gateway_click_us * ADMIT_SHARE
        for bucket, batch in replies:
            worker.in_flight[bucket] -= 1
            cost_us += len(batch) * costs.gateway_click_us * TELL_SHARE
        for click in clicks:
            worker.queues[self._random.randrange(self._system.buckets)].append(click)
        sent = []
        for bucket, queue in worker.queues.items():
            while queue and worker.in_flight[bucket] < IN_FLIGHT_MAX:
                batch = queue[:BATCH_MAX]
                del queue[:BATCH_MAX]
                worker.in_flight[bucket] += 1
                cost_us += costs.gateway_call_us
                sent.append((bucket, batch))
        if now_us >= self._begin_us:
            self._gateway_us += cost_us
        self._at(now_us + cost_us, self._python_over, worker, sent, replies)

    def _python_over(
        self, now_us: float, worker: _Worker, sent: list[tuple[int, list[float]]], replies: list[Any]
    ) -> None:
        for bucket, batch in sent:
            redis = self._redis[bucket % self._system.primaries]
            self._at(now_us + self._costs.link_us, self._call, redis, worker, bucket, batch)
        for _, batch in replies:
            worker.told += batch
        worker.busy = False
        self._wake(now_us, worker)

    def _click_again(self, now_us: float, worker: _Worker, clicks: int) -> None:
        """Every connection that was answered sends its next click, one after the other."""
        each_us = self._costs.generator_click_us
        begin_us = max(now_us, self._others_free_us) if self._system.shared_core else now_us
        for number in range(1, clicks + 1):
            self._at(begin_us + number * each_us, self._arrive, worker)
        self._others_free_us = begin_us + clicks * each_us

    def _call(self, now_us: float, redis: _Redis, worker: _Worker, bucket: int, batch: list[float]) -> None:
        redis.calls.append((worker, bucket, batch))
        if not redis.busy:
            self._decide(now_us, redis)

    def _decide(self, now_us: float, redis: _Redis) -> None:
        """Run all calls that have come, sync once, reply to all."""
        calls, redis.calls = redis.calls, []
        redis.busy = True
        clicks = sum(len(batch) for _, _, batch in calls)
        cpu_us = len(calls) * self._costs.redis_call_us + clicks * self._costs.redis_click_us
        begin_us = now_us
        if self._system.shared_core:
            begin_us = max(now_us, self._others_free_us)
            self._others_free_us = begin_us + cpu_us
        over_us = begin_us + cpu_us + (self._costs.fsync_us if self._system.strict else 0.0)
        self._at(over_us, self._decided_all, redis, calls, clicks, cpu_us)

    def _decided_all(
        self,
        now_us: float,
        redis: _Redis,
        calls: list[tuple[_Worker, int, list[float]]],
        clicks: int,
        cpu_us: float,
    ) -> None:
        if now_us >= self._begin_us:
            redis.used_us += cpu_us
            self._calls += len(calls)
            self._decided += clicks
            self._syncs += self._system.strict
        for worker, bucket, batch in calls:
            self._at(now_us + self._costs.link_us, self._reply, worker, bucket, batch)
        redis.busy = False
        if redis.calls:
            self._decide(now_us, redis)

    def _reply(self, now_us: float, worker: _Worker, bucket: int, batch: list[float]) -> None:
        worker.replies.append((bucket, batch))
        self._wake(now_us, worker)


def simulate(system: System, costs: Costs, seed: int = SEED) -> Outcome:
    """Run once; the same seed gives the same outcome."""
    return Simulation(system, costs, seed).run()

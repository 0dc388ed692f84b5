"""From costs per click to machines: what a sale of so many clicks per second needs, and what breaks first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtest.costs import Costs, Measured, fit
from loadtest.queueing import Outcome, System, simulate

PRIMARIES = (1, 2, 3, 4, 6, 12)
"""Numbers of Redis servers over which the buckets of an offer divide evenly; twelve are the most."""
SHARE_MAX = 0.6
"""The part of a core's time that a plan uses: the rest is for bursts, and for the loss of a machine."""
CARRIED_MIN = 0.97
"""The part of the clicks that must be answered at the pace at which they come."""
P99_MAX_US = 50_000
SIMULATED_CLICKS = 30_000
"""Clicks of one simulated run, so that a large system does not take longer than a small one."""
PLANNED_BATCH = 4
"""Clicks per script call that gateways are planned for."""
FULL_BATCH = 64
"""Clicks per script call that come about by themselves when a Redis server is busy."""
NETWORK_LINK_US = 100.0
"""One way between machines of one data centre."""
CATCH_UP_S = 60.0
"""How soon the last order should be written after the last unit was sold."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One offer at a rate, on so many Redis servers."""

    clicks_per_s: float
    workers: int
    primaries: int
    full_share: float
    """Of a primary's core, if all calls were full: what is left of it is room. `outcome.redis_share` is higher, as
    a Redis server with time to spare decides small batches."""
    outcome: Outcome | None = None
    """What the simulation says; None where it is not needed, as there is no room."""

    @property
    def holds(self) -> bool:
        """Whether every click is answered in time, with room to spare."""
        if self.outcome is None or self.full_share > SHARE_MAX:
            return False
        return self.outcome.p99_us <= P99_MAX_US and self.outcome.clicks_per_s >= CARRIED_MIN * self.clicks_per_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What one sale needs. Rates are per second; disk and network are bytes per second."""

    clicks_per_s: float
    stock: int
    workers_winning: int
    workers_sold_out: int
    trials: list[Trial]
    writers: int
    primaries_for_all: int
    """Redis primaries when the clicks are spread over so many hot offers that every primary has its part."""
    seconds_of_stock: float
    network_in: float
    network_out: float
    redis_network: float
    disk: float
    redis_memory: float

    @property
    def chosen(self) -> Trial | None:
        """The smallest number of Redis servers that holds; None: more than twelve would be needed."""
        return next((trial for trial in self.trials if trial.holds), None)


def workers_for(clicks_per_s: float, click_us: float) -> int:
    """Gateway workers, one core each."""
    return max(1, math.ceil(clicks_per_s * click_us / 1e6 / SHARE_MAX))


def full_us(costs: Costs) -> float:
    """Redis' CPU per click in full batches."""
    return costs.redis_click_us + costs.redis_call_us / FULL_BATCH


def try_out(clicks_per_s: float, primaries: int, costs: Costs, *, clicks: int = SIMULATED_CLICKS) -> Trial:
    """Simulate one hot offer at a rate, its buckets over so many Redis servers."""
    costs = replace(costs, link_us=NETWORK_LINK_US)
    workers = workers_for(clicks_per_s, costs.gateway_click_us + costs.gateway_call_us / PLANNED_BATCH)
    system = System(
        workers=workers,
        primaries=primaries,
        buckets=primaries,
        clicks_per_s=clicks_per_s,
        duration_s=clicks / clicks_per_s,
    )
    full_share = clicks_per_s * full_us(costs) / 1e6 / primaries
    outcome = simulate(system, costs) if full_share <= SHARE_MAX else None
    return Trial(clicks_per_s, workers, primaries, full_share, outcome)


def plan(clicks_per_s: float, stock: int, costs: Costs) -> Plan:
    """What a sale of one hot offer needs while every click wins, and after that."""
    trials = [try_out(clicks_per_s, primaries, costs) for primaries in PRIMARIES]
    wins_per_s = min(clicks_per_s, stock)
    seconds = stock / clicks_per_s
    return Plan(
        clicks_per_s,
        stock,
        trials[0].workers,
        workers_for(clicks_per_s, costs.gateway_sold_out_us),
        trials,
        max(1, math.ceil(stock * costs.writer_order_us / 1e6 / (seconds + CATCH_UP_S))),
        math.ceil(clicks_per_s * full_us(costs) / 1e6 / SHARE_MAX),
        seconds,
        clicks_per_s * costs.request_bytes,
        clicks_per_s * costs.won_reply_bytes,
        clicks_per_s * (costs.redis_request_bytes + costs.redis_reply_bytes),
        wins_per_s * costs.aof_bytes_per_winner,
        stock * costs.redis_bytes_per_winner,
    )


@dataclass(frozen=True, slots=True)
class Check:
    """One measured point, and what the model says about it."""

    point: Measured
    model: Outcome

    @property
    def errors(self) -> dict[str, float]:
        """Model / measured - 1, by figure."""
        return {
            "clicks/s": self.model.clicks_per_s / self.point.clicks_per_s - 1,
            "batch": self.model.batch_mean / self.point.batch_mean - 1,
            "p50": self.model.p50_us / self.point.p50_us - 1,
        }


def check(points: Sequence[Measured], costs: Costs) -> list[Check]:
    """Let the model run what was measured: the same connections, generator and Redis on one core.

    CPU per click and per call are fitted to these very points, wake-ups of idle workers included; clicks/s, batches
    and latencies are not.
    """
    costs = replace(costs, **fit(points))
    found = []
    for point in points:
        strict = point.durability == "strict"
        system = System(connections=point.connections, strict=strict, shared_core=True, duration_s=2.0)
        found.append(Check(point, simulate(system, costs)))
    return found

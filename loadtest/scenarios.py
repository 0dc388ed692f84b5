"""What is clicked in a benchmark run, and how one run is measured."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from loadtest import generators, scrape
from loadtest.errors import GeneratorError
from loadtest.figures import CONSTANT, Run
from loadtest.generators import Requests
from loadtest.processes import Server
from loadtest.stack import Stack

CLICKS_PER_S_MAX = 80_000
"""Prepared clicks per second of a run; a run that needs more fails and says so."""

REPEATERS = 5_000
"""Winners who click again and again on the duplicate path."""

MIXED_STOCK = 1_000
MIXED_SHOPPERS = 100_000
MIXED_CLICKS_EACH = 3
SCENARIOS = ("win", "sold_out", "duplicate", "mixed")
BATCHING = "batching"
"""The win path once more, to compare batches with one script call per click."""

_shoppers = count(1)


@dataclass(frozen=True, slots=True)
class Plan:
    """A prepared run: its offer and requests; sent once, or for a time, possibly again from the start."""

    offer: str
    stock: int
    requests: Requests
    until_sent: bool = False
    repeat: bool = False
    primed: bool = False
    """Whether its units were sold before the measurement."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long a run is, and how many shoppers the mixed one has."""

    duration_s: float
    mixed_shoppers: int = MIXED_SHOPPERS

    @property
    def clicks(self) -> int:
        """Clicks to prepare for a timed run."""
        return round(self.duration_s * CLICKS_PER_S_MAX)


def new_shoppers(number: int) -> Iterator[str]:
    """Ids that nobody in this process had before, all of one length."""
    return (f"shopper-{next(_shoppers):010d}" for _ in range(number))


def prepare(scenario: str, stack: Stack, sizes: Sizes, *, core: int | None) -> Plan:
    """Create the offer of a run, bring it into the state to be measured, and prepare its clicks."""
    path = stack.folder / "clicks.bin"
    if scenario in {"win", BATCHING}:
        offer = stack.create_offer(sizes.clicks)
        return Plan(offer, sizes.clicks, _write(path, offer, new_shoppers(sizes.clicks), stack))
    if scenario == "sold_out":
        offer = stack.create_offer(1)
        first = _write(path, offer, new_shoppers(64), stack)
        generators.click(stack.gateway_url, first, connections=8, duration_s=1, core=core, until_sent=True)
        return Plan(offer, 1, _write(path, offer, new_shoppers(sizes.clicks), stack), primed=True)
    if scenario == "duplicate":
        offer = stack.create_offer(REPEATERS)
        requests = _write(path, offer, new_shoppers(REPEATERS), stack)
        plan = Plan(offer, REPEATERS, requests, repeat=True, primed=True)
        generators.click(stack.gateway_url, plan.requests, connections=64, duration_s=1, core=core, until_sent=True)
        return plan
    offer = stack.create_offer(MIXED_STOCK)
    clicks = list(new_shoppers(sizes.mixed_shoppers)) * MIXED_CLICKS_EACH
    # The same disorder every time, so that runs can be compared.
    random.Random(len(clicks)).shuffle(clicks)
    return Plan(offer, MIXED_STOCK, _write(path, offer, iter(clicks), stack), until_sent=True)


def _write(path: Path, offer: str, shoppers: Iterator[str], stack: Stack) -> Requests:
    return generators.write_requests(path, offer, shoppers, stack.mint)


def measure(
    scenario: str, stack: Stack, plan: Plan, *, connections: int, repetition: int, sizes: Sizes, core: int | None
) -> Run:
    """Click as planned on a gateway; what it cost and what came out."""
    earlier = scrape.at_rest(stack.metrics_url)
    gateway, redis = stack.usage()
    heard = generators.click(
        stack.gateway_url,
        plan.requests,
        connections=connections,
        duration_s=sizes.duration_s,
        core=core,
        until_sent=plan.until_sent,
        repeat=plan.repeat,
    )
    gateway_after, redis_after = stack.usage()
    added = scrape.at_rest(stack.metrics_url).since(earlier)
    clicks = added.clicks
    if clicks < heard.replies:
        raise GeneratorError(f"{heard.replies} replies were heard, and the gateway counts {clicks} clicks")
    return Run(
        scenario,
        connections,
        stack.name,
        repetition,
        clicks,
        heard.replies / heard.duration_s,
        heard.p50_us,
        heard.p99_us,
        heard.p999_us,
        1e6 * (gateway_after.cpu_s - gateway.cpu_s) / clicks,
        1e6 * (redis_after.cpu_s - redis.cpu_s) / clicks,
        heard.generator_cpu_s / heard.duration_s,
        added.batch_clicks / added.batches if added.batches else 0.0,
        added.local / clicks,
        added.outcomes,
        heard.failed,
    )


def measure_constant(
    scenario: str,
    url: str,
    server: Server,
    plan: Plan,
    *,
    connections: int,
    repetition: int,
    sizes: Sizes,
    core: int | None,
) -> Run:
    """Send the very same clicks to the constant app."""
    before = server.usage()
    heard = generators.click(
        url,
        plan.requests,
        connections=connections,
        duration_s=sizes.duration_s,
        core=core,
        until_sent=plan.until_sent,
        repeat=True,
    )
    cpu_s = server.usage().cpu_s - before.cpu_s
    return Run(
        scenario,
        connections,
        CONSTANT,
        repetition,
        heard.replies,
        heard.replies / heard.duration_s,
        heard.p50_us,
        heard.p99_us,
        heard.p999_us,
        1e6 * cpu_s / heard.replies,
        0.0,
        heard.generator_cpu_s / heard.duration_s,
        0.0,
        0.0,
        {},
        heard.failed,
    )

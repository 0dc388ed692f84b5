"""What is clicked in a benchmark run, and how one run is measured."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from loadtest import generators
from loadtest.errors import GeneratorError
from loadtest.figures import CONSTANT, Run
from loadtest.generators import Requests
from loadtest.processes import Server, Usage
from loadtest.scrape import Counters
from loadtest.stack import Stack

CLICKS_PER_S_MAX = 60_000
REFUSALS_PER_S_MAX = 120_000
"""Prepared clicks per second of a run; a run that needs more fails and says so."""

REPEATERS = 5_000
"""Winners who click again and again on the duplicate path."""

FIRST_CLICKS = 64
"""Clicks that sell the only unit of the sold-out path."""

MIXED_STOCK = 1_000
MIXED_SHOPPERS = 100_000
MIXED_CLICKS_EACH = 3
SCENARIOS = ("win", "sold_out", "duplicate", "mixed")
BATCHING = "batching"
"""The win path once more, to compare batches with one script call per click."""

_shoppers = count(1)


class Target(Protocol):
    """What can be clicked on and measured: the gateway's stack, or a peer's."""

    name: str
    gateway_url: str

    def usage(self) -> tuple[Usage, Usage]:
        """What server and Redis have used so far."""

    def counters(self) -> Counters:
        """What the server counted so far, once no click is under way."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A prepared run: its offer and requests; sent once, or for a time, possibly again from the start."""

    offer: str
    stock: int
    requests: Requests
    until_sent: bool = False
    repeat: bool = False
    priming: Requests | None = None
    """Clicks that sell its units before the measurement."""

    @property
    def primed(self) -> bool:
        """Whether its units were sold before the measurement."""
        return self.priming is not None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long a run is, and how many shoppers the mixed one has."""

    duration_s: float
    mixed_shoppers: int = MIXED_SHOPPERS

    @property
    def clicks(self) -> int:
        """Clicks to prepare for a timed run."""
        return round(self.duration_s * CLICKS_PER_S_MAX)

    @property
    def refusals(self) -> int:
        """Clicks to prepare for a timed run in which nobody wins: those are answered sooner."""
        return round(self.duration_s * REFUSALS_PER_S_MAX)


def new_shoppers(number: int) -> Iterator[str]:
    """Ids that nobody in this process had before, all of one length."""
    return (f"shopper-{next(_shoppers):010d}" for _ in range(number))


def prepare(scenario: str, stack: Stack, sizes: Sizes, *, core: int | None) -> Plan:
    """Create the offer of a run, bring it into the state to be measured, and prepare its clicks."""
    path = stack.folder / "clicks.bin"
    if scenario in {"win", BATCHING}:
        offer = stack.create_offer(sizes.clicks)
        return Plan(offer, sizes.clicks, _write(path, offer, new_shoppers(sizes.clicks), stack))
    if scenario == "mixed":
        offer = stack.create_offer(MIXED_STOCK)
        clicks = list(new_shoppers(sizes.mixed_shoppers)) * MIXED_CLICKS_EACH
        # The same disorder every time, so that runs can be compared.
        random.Random(len(clicks)).shuffle(clicks)
        return Plan(offer, MIXED_STOCK, _write(path, offer, iter(clicks), stack), until_sent=True)
    stock = 1 if scenario == "sold_out" else REPEATERS
    offer = stack.create_offer(stock)
    first = _write(stack.folder / "first.bin", offer, new_shoppers(max(stock, FIRST_CLICKS)), stack)
    if scenario == "sold_out":
        plan = Plan(offer, stock, _write(path, offer, new_shoppers(sizes.refusals), stack), priming=first)
    else:
        plan = Plan(offer, stock, first, repeat=True, priming=first)
    prime(stack, plan, core=core)
    return plan


def prime(target: Target, plan: Plan, *, core: int | None) -> None:
    """Sell the units that a plan wants sold before it is measured."""
    if plan.priming is not None:
        generators.click(target.gateway_url, plan.priming, connections=8, duration_s=1, core=core, until_sent=True)


def _write(path: Path, offer: str, shoppers: Iterator[str], stack: Stack) -> Requests:
    return generators.write_requests(path, offer, shoppers, stack.mint)


def measure(
    scenario: str, target: Target, plan: Plan, *, connections: int, repetition: int, sizes: Sizes, core: int | None
) -> Run:
    """Click as planned on a server; what it cost and what came out."""
    earlier = target.counters()
    gateway, redis = target.usage()
    heard = generators.click(
        target.gateway_url,
        plan.requests,
        connections=connections,
        duration_s=sizes.duration_s,
        core=core,
        until_sent=plan.until_sent,
        repeat=plan.repeat,
    )
    gateway_after, redis_after = target.usage()
    added = target.counters().since(earlier)
    clicks = added.clicks
    if clicks < heard.replies:
        raise GeneratorError(f"{heard.replies} replies were heard, and {target.name} counts {clicks} clicks")
    # A server that answered nothing in time has a rate of 0, and no cost per click.
    per_click = 1e6 / clicks if clicks else 0.0
    return Run(
        scenario,
        connections,
        target.name,
        repetition,
        clicks,
        heard.replies / heard.duration_s,
        heard.p50_us,
        heard.p99_us,
        heard.p999_us,
        per_click * (gateway_after.cpu_s - gateway.cpu_s),
        per_click * (redis_after.cpu_s - redis.cpu_s),
        heard.generator_cpu_s / heard.duration_s,
        added.batch_clicks / added.batches if added.batches else 0.0,
        added.local / clicks if clicks else 0.0,
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

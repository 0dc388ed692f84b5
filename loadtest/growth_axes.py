"""The measurements behind the figures of growth: every run on a grown system has a neighbour on a small one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice

import httpx

from loadtest import generators
from loadtest.figures import Run
from loadtest.generators import Requests
from loadtest.growth_figures import Point
from loadtest.operators_api import Item, now_ms
from loadtest.redis_memory import connected
from loadtest.scenarios import Plan, Sizes, measure, new_shoppers, prepare
from loadtest.stack import BASE_PRICE, PRICE, PRODUCT_STOCK, SALE_LENGTH_MS, Stack

FILL_AT_ONCE = 50_000
FILL_CONNECTIONS = 256
ITEMS_OF_A_CAMPAIGN = 1_000
SPREAD_STOCK = 100_000
SAMPLED = 20
"""Offers of many whose books are held against each other at the end."""


@dataclass(slots=True)
class Growth:
    """One measurement of growth under way."""

    sizes: Sizes
    connections: int
    repetitions: int
    core: int | None
    tell: Callable[[str], None]
    points: list[Point] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    """Bytes per winner, shopper, offer …, by name."""
    sold: dict[str, list[tuple[Plan, int]]] = field(default_factory=dict)
    """Per stack: plans that were run, with the wins that the gateway counted."""
    sampled: dict[str, list[str]] = field(default_factory=dict)
    """Per stack: offers that were clicked on among many others."""
    breaches: list[str] = field(default_factory=list)

    def run(self, stack: Stack, plan: Plan, repetition: int, *, connections: int | None = None) -> Run:
        """Click as planned."""
        run = measure(
            "win",
            stack,
            plan,
            connections=connections or self.connections,
            repetition=repetition,
            sizes=self.sizes,
            core=self.core,
        )
        plan.requests.path.unlink(missing_ok=True)
        if run.failed:
            self.breaches.append(f"{stack.name}: {run.failed} clicks failed at the client")
        return run

    def fresh(self, stack: Stack, repetition: int, *, connections: int | None = None) -> Run:
        """Winning clicks on an offer that nobody has bought yet."""
        plan = prepare("win", stack, self.sizes, core=self.core)
        run = self.run(stack, plan, repetition, connections=connections)
        self.sold.setdefault(stack.name, []).append((plan, run.outcomes.get("won", 0)))
        return run

    def weigh(self, what: str, value: float) -> None:
        """Keep a figure of memory, bytes; the last one of a name counts."""
        self.memory[what] = value
        self.tell(f"{what}: {value:,.0f}")

    def note(self, axis: str, series: str, size: int, run: Run, small: Run) -> None:
        """Keep a pair."""
        self.points.append(
            Point(
                axis,
                series,
                size,
                run.repetition,
                run.clicks_per_s,
                run.gateway_cpu_us,
                run.redis_cpu_us,
                small.gateway_cpu_us,
                small.redis_cpu_us,
                run.batch_mean,
            )
        )
        self.tell(
            f"{axis} {size:9,}  {series:20} gateway {run.gateway_cpu_us:5.1f} (small {small.gateway_cpu_us:5.1f})"
            f"  Redis {run.redis_cpu_us:5.1f} ({small.redis_cpu_us:4.1f}) µs  batch {run.batch_mean:5.1f}"
        )


def grow_offers(growth: Growth, small: Stack, grown: Stack, counts: list[int]) -> None:
    """More and more offers on sale; clicks on one of them, and clicks spread over all of them."""
    products = [f"s{number:04d}" for number in range(min(ITEMS_OF_A_CAMPAIGN, max(counts)))]
    for sku in products:
        grown.api.create_product(sku, price=BASE_PRICE, stock=PRODUCT_STOCK)
    offers: list[str] = []
    resident_more = 0
    with connected(grown.folder / "redis.sock") as redis:
        for count in counts:
            before = redis.used_bytes()
            new = _publish(grown, products, count, len(offers))
            offers += new
            growth.weigh("Redis bytes per offer, without buyers", (redis.used_bytes() - before) / len(new))
            for repetition in range(growth.repetitions):
                beside = growth.fresh(small, repetition)
                growth.note("offers", "clicks on one", count, growth.fresh(grown, repetition), beside)
                plan = Plan(offers[0], SPREAD_STOCK, _spread(grown, offers, growth.sizes))
                resident = grown.gateway.usage().resident_bytes[0]
                growth.note("offers", "clicks on all", count, growth.run(grown, plan, repetition), beside)
                if repetition == 0:
                    # Its first clicks on these offers: the worker gets to know them.
                    resident_more += grown.gateway.usage().resident_bytes[0] - resident
                    growth.weigh("gateway bytes per offer it knows, at most", resident_more / len(offers))
    growth.sampled[grown.name] = offers[:: max(1, len(offers) // SAMPLED)]


def _publish(stack: Stack, products: list[str], wanted: int, there: int) -> list[str]:
    """Put more offers on sale until there are so many; their ids, all of one length."""
    begin_ms = now_ms() - 1000
    found: list[str] = []
    while there + len(found) < wanted:
        number = there + len(found)
        # Ids of one length: the campaigns of the first sizes are small, the later ones full.
        items = [Item(sku, SPREAD_STOCK, PRICE) for sku in products[: min(wanted - number, ITEMS_OF_A_CAMPAIGN)]]
        found += stack.api.create_campaign(
            f"many{number:05d}", items, starts_at_ms=begin_ms, ends_at_ms=begin_ms + SALE_LENGTH_MS
        )
    return found


def _spread(stack: Stack, offers: list[str], sizes: Sizes) -> Requests:
    """Clicks of new shoppers that go through all offers in turn."""
    path = stack.folder / "clicks.bin"
    head, size = b"", 0
    with path.open("wb", buffering=1 << 20) as file:
        shoppers = new_shoppers(sizes.clicks)
        for offer, shopper in zip(islice(cycle(offers), sizes.clicks), shoppers, strict=True):
            head = f"POST /seckill/{offer} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ".encode()
            size = file.write(head + stack.mint.token(shopper) + b"\r\nContent-Length: 0\r\n\r\n")
    return Requests(path, size, sizes.clicks)


def grow_buyers(growth: Growth, small: Stack, grown: Stack, counts: list[int]) -> None:
    """More and more buyers of one offer, who are also shoppers seen: clicks on it, and on a fresh one."""
    most = max(counts)
    spare = growth.sizes.clicks * growth.repetitions * len(counts)
    offer = grown.create_offer(most + spare)
    wins = 0
    with connected(grown.folder / "redis.sock") as redis:
        empty = redis.used_bytes()
        for count in counts:
            for more in _parts(count - wins):
                wins += _fill(growth, grown, offer, more)
                growth.tell(f"{wins:,} of {count:,} buyers")
            if count == most:
                for part in ("buyers", "stream"):
                    growth.weigh(f"Redis bytes per winner in {part}", redis.bytes_of(part) / wins)
                growth.weigh("Redis bytes per winner, in all", (redis.used_bytes() - empty) / wins)
            for repetition in range(growth.repetitions):
                beside = growth.fresh(small, repetition)
                path = grown.folder / "clicks.bin"
                shoppers = new_shoppers(growth.sizes.clicks)
                requests = generators.write_requests(path, offer, shoppers, grown.mint)
                run = growth.run(grown, Plan(offer, most + spare, requests), repetition)
                wins += run.outcomes.get("won", 0)
                growth.note("buyers", "clicks on that offer", count, run, beside)
                growth.note("shoppers", "clicks on a new offer", count, growth.fresh(grown, repetition), beside)
        growth.weigh("Redis bytes per shopper in a rate window", _per_shopper(redis.bytes_of, redis.fields_of))
    held = _held(grown, offer)
    if held != wins:
        growth.breaches.append(f"{offer}: {wins} wins were answered, and {held} units are held")


def _per_shopper(bytes_of: Callable[[str], int], fields_of: Callable[[str], int]) -> float:
    """Bytes per shopper of the rate windows there are now; 0 when none is left."""
    shoppers = fields_of("rate")
    return bytes_of("rate") / shoppers if shoppers else 0.0


def _parts(total: int) -> Iterator[int]:
    while total > 0:
        yield min(total, FILL_AT_ONCE)
        total -= FILL_AT_ONCE


def _fill(growth: Growth, stack: Stack, offer: str, buyers: int) -> int:
    """Let so many new shoppers buy; how many did."""
    earlier = stack.counters()
    path = stack.folder / "fill.bin"
    requests = generators.write_requests(path, offer, new_shoppers(buyers), stack.mint)
    generators.click(
        stack.gateway_url,
        requests,
        connections=FILL_CONNECTIONS,
        duration_s=0,
        core=growth.core,
        until_sent=True,
    )
    path.unlink()
    return stack.counters().since(earlier).outcomes.get("won", 0)


def _held(stack: Stack, offer: str) -> int:
    """Units of an offer that shoppers hold, as the gateway shows them."""
    shown = httpx.get(f"{stack.gateway_url}/seckill/{offer}", timeout=10.0, trust_env=False).json()
    return int(shown["stock"]) - int(shown["left"])


def grow_workers(growth: Growth, stacks: dict[int, Stack]) -> None:
    """More worker processes of one gateway, each with as many connections."""
    for repetition in range(growth.repetitions):
        small: Run | None = None
        for workers, stack in sorted(stacks.items()):
            connections = growth.connections * workers // min(stacks)
            run = growth.fresh(stack, repetition, connections=connections)
            small = small or run
            growth.note("workers", "clicks on one", workers, run, small)

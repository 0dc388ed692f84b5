"""How long the search for the best assignment takes: `python -m tests.promotions.bench_search [carts]`.

Carts of eight lines with four choices each, by kind. Milliseconds of one process: median, 99th percentile, the
longest; then the same for the least of three runs of each cart, which leaves out what else the machine does; and
how many carts were not proved. Beside them what a fixed calculation takes, since machines differ.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from admin.promotions import search
from admin.promotions.campaign import Campaign
from admin.promotions.coupon import Coupon
from admin.promotions.quoting import Quoting
from admin.promotions.search import Found
from admin.promotions.world import World
from tests.promotions.worlds import campaign, cart, coupon, world

SKUS = "abcdefgh"
Coupons = Callable[[random.Random, int], Coupon | None]


def ladder(dice: random.Random, code: str, **scope: Any) -> Campaign:
    """A ladder of two or three steps that some of the lines reach together."""
    kind = dice.choice(("tiers", "every", "amount", "count"))
    ats = sorted(dice.sample(range(1, 9), dice.randint(2, 3)))
    if kind == "tiers":
        offs = sorted(at * dice.randint(800, 1400) + at * at * 100 for at in ats)
        rule: dict[str, Any] = {
            "mode": kind,
            "tiers": [{"spend": at * 10_000, "off": off} for at, off in zip(ats, offs, strict=True)],
        }
        return campaign("threshold_reduction", rule, code=code, priority=dice.randint(0, 9), **scope)
    if kind == "every":
        spend = dice.randint(5_000, 30_000)
        rule = {"mode": kind, "spend": spend, "off": spend * dice.randint(8, 20) // 100}
        return campaign("threshold_reduction", rule, code=code, priority=dice.randint(0, 9), **scope)
    unit = 10_000 if kind == "amount" else 2
    percents = sorted(dice.sample(range(5, 35), len(ats)))
    rule = {
        "by": kind,
        "tiers": [{"at": at * unit, "percent_off": off} for at, off in zip(ats, percents, strict=True)],
    }
    return campaign("threshold_discount", rule, code=code, priority=dice.randint(0, 9), **scope)


def same_four(dice: random.Random) -> list[Campaign]:
    """Four ladders over everything."""
    return [ladder(dice, f"c{number}", scope="all") for number in range(4)]


def four_of_twelve(dice: random.Random) -> list[Campaign]:
    """Each line may join four of twelve ladders."""
    items: dict[int, list[str]] = {number: [] for number in range(12)}
    for sku in SKUS:
        for number in dice.sample(range(12), 4):
            items[number].append(sku)
    return [ladder(dice, f"c{number}", items=skus) for number, skus in items.items() if skus]


def ladders_and_prices(dice: random.Random) -> list[Campaign]:
    """Two ladders over everything and two item discounts of every line."""
    singles = [
        campaign(
            "item_discount",
            {"percent_off": dice.randint(5, 20)},
            code=f"i{number}",
            scope="all",
            priority=dice.randint(0, 9),
            coupons_allowed=number == 0,
        )
        for number in range(2)
    ]
    return [ladder(dice, "c0", scope="all"), ladder(dice, "c1", scope="all"), *singles]


def no_coupon(_dice: random.Random, _subtotal: int) -> None:
    """None."""


def reached(dice: random.Random, subtotal: int) -> Coupon:
    """A coupon whose threshold nearly every choice reaches."""
    terms: dict[str, Any] = dice.choice(
        ({"amount_off": 2_000}, {"percent_off": 8}, {"percent_off": 10, "cap": 3_000})
    )
    return coupon(threshold=subtotal // 3, **terms)


def in_the_way(dice: random.Random, subtotal: int) -> Coupon:
    """A coupon whose threshold the cheapest choices miss."""
    terms: dict[str, Any] = dice.choice(
        ({"amount_off": 5_000}, {"percent_off": 8}, {"percent_off": 10, "cap": 6_000})
    )
    return coupon(threshold=subtotal * dice.randint(76, 92) // 100, **terms)


def of_items(dice: random.Random, subtotal: int) -> Coupon:
    """A coupon of three products."""
    return coupon(threshold=subtotal // 5, amount_off=3_000, scope="items", items=dice.sample(SKUS, 3))


CAMPAIGNS = (same_four, four_of_twelve, ladders_and_prices)
COUPONS: tuple[Coupons, ...] = (no_coupon, reached, in_the_way, of_items)


def shop(seed: int, campaigns: Callable[[random.Random], list[Campaign]], coupons: Coupons) -> Quoting:
    """A cart of eight lines that is laid out and has its default."""
    dice = random.Random(f"bench {seed}")
    prices = {sku: dice.randint(1_000, 30_000) for sku in SKUS}
    quantities = {sku: dice.choice((1, 1, 2)) for sku in SKUS}
    subtotal = sum(prices[sku] * quantities[sku] for sku in SKUS)
    chosen = coupons(dice, subtotal)
    place: World = world(*campaigns(dice), prices=prices, coupon=chosen)
    return Quoting(cart(quantities, **({} if chosen is None else {"coupon": "SAVE"})), place)


def calibrate() -> float:
    """Milliseconds of a fixed calculation."""
    start = perf_counter()
    table = {number: number * number for number in range(256)}
    for first in range(256):
        for second in range(256):
            if table[first] + table[second] < 0:
                raise AssertionError
    return (perf_counter() - start) * 1000


def once(seed: int, campaigns: Callable[[random.Random], list[Campaign]], coupons: Coupons) -> tuple[float, Found]:
    """Milliseconds of one search, and what it found."""
    quoting = shop(seed, campaigns, coupons)
    start = perf_counter()
    found = search.best(quoting.pricing, quoting.default, quoting.usable())
    return (perf_counter() - start) * 1000, found


def measure(carts: int) -> None:
    """Print one line for each kind of campaigns and coupons."""
    for campaigns in CAMPAIGNS:
        for coupons in COUPONS:
            first, least, beside, gaps = [], [], [], []
            for seed in range(carts):
                beside.append(calibrate())
                runs = [once(seed, campaigns, coupons) for _ in range(3)]
                first.append(runs[0][0])
                least.append(min(taken for taken, _ in runs))
                gaps += [runs[0][1].gap] * (not runs[0][1].proved)
            print(  # noqa: T201
                f"{campaigns.__name__:18} {coupons.__name__:10} {_told(first)} | least of three {_told(least)}"
                f" | not proved {len(gaps)} (gap at most {max(gaps, default=0)}) | beside {median(beside):.2f} ms"
            )


def _told(taken: list[float]) -> str:
    ordered = sorted(taken)
    p99 = ordered[len(ordered) * 99 // 100]
    return f"median {median(ordered):5.1f}  p99 {p99:5.1f}  most {ordered[-1]:5.1f} ms"


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 300)

"""How long the engine takes alone: `python -m tests.promotions.bench_engine [carts]`; `make bench-quotes` runs it.

Prints one JSON object: by kind of cart, milliseconds of CPU at the median of carts and at the 99th percentile, and
what was wanted. Each cart is priced three times and the least counts, which leaves out what other programs on
the machine do to its caches.
The carts of ten lines are those of the shop that is asked over HTTP; those for the best choice have eight lines
with four choices each, and no coupon of some products only.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterable
from statistics import median
from time import thread_time, time_ns
from typing import Any

import orjson

from admin.promotions import engine
from admin.promotions.campaign import read_campaign
from admin.promotions.cart import Cart
from admin.promotions.world import World
from loadtest import quote_shop
from tests.promotions.bench_search import CAMPAIGNS, in_the_way, no_coupon, reached, shop
from tests.promotions.worlds import CURRENCY, product, world

Priced = tuple[Cart, World]
PRODUCTS = 1_000
ENGINE_WANTED_MS = 3.0
BEST_WANTED_MS = 20.0


def ten_lines(carts: int, beyond: int = 0, **choices: Any) -> Iterable[Priced]:
    """The cart of the shop over HTTP, in other quantities each time; `beyond` campaigns do not concern it."""
    recorded = {"revision": 1, "draft": False, "paused": False, "terminated_at": None}
    in_scope = quote_shop.campaigns_in_scope(PRODUCTS)
    bodies = [dict(body) for body in (*in_scope, *quote_shop.campaigns_beyond(beyond, PRODUCTS))]
    campaigns = [read_campaign(body.pop("code"), {**body, **recorded}, CURRENCY) for body in bodies]
    assert not any(campaign.broken for campaign in campaigns)
    goods = [product(quote_shop.sku(number), 2_000 + number % 130 * 700) for number in range(PRODUCTS)]
    place = world(*campaigns, products=goods, now_ms=time_ns() // 1_000_000)
    dice = random.Random("ten lines")
    for _ in range(carts):
        lines = [{**line, "quantity": dice.randint(1, 9)} for line in quote_shop.cart()["lines"]]
        yield Cart.model_validate({"lines": lines, **choices}), place


def eight_lines(carts: int) -> Iterable[Priced]:
    """Carts for which the best of four choices a line is sought, by kinds of campaigns and coupons in turn."""
    kinds = [(campaigns, coupons) for campaigns in CAMPAIGNS for coupons in (no_coupon, reached, in_the_way)]
    for seed in range(carts):
        laid_out = shop(seed, *kinds[seed % len(kinds)])
        yield laid_out.cart.model_copy(update={"strategy": "best"}), laid_out.world


def timed(carts: Iterable[Priced], wanted_ms: float) -> dict[str, float]:
    """Milliseconds of one quote of each cart."""
    prepared = list(carts)
    engine.quote(*prepared[0])
    gc.freeze()
    taken = []
    for asked, place in prepared:
        times = []
        for _ in range(3):
            start = thread_time()
            engine.quote(asked, place)
            times.append((thread_time() - start) * 1000)
        taken.append(min(times))
    taken.sort()
    return {"median_ms": median(taken), "p99_ms": taken[len(taken) * 99 // 100], "wanted_ms": wanted_ms}


def main(carts: int) -> None:
    """Print the figures."""
    found = {
        "engine, 10 lines": timed(ten_lines(carts), ENGINE_WANTED_MS),
        "engine, 10 lines, among 10,000 campaigns": timed(ten_lines(carts, 9_800), ENGINE_WANTED_MS),
        "engine, 10 lines, explained": timed(ten_lines(carts, explain=True), ENGINE_WANTED_MS),
        "best, 8 lines × 4 choices": timed(eight_lines(carts), BEST_WANTED_MS),
    }
    print(orjson.dumps(found).decode())  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)

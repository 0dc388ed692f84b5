"""Given a cart that may join campaigns in many ways, the best one is found, and what is not certain is said."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions import engine, search
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.pricing import Assignment, Priced
from admin.promotions.quoting import Quoting
from admin.promotions.search import Found
from admin.promotions.world import Left, Product, World
from tests.promotions.random_shops import draw
from tests.promotions.worlds import campaign, cart, coupon, quote, world

LINES = "abcde"
GIFTS = ("mug", "pen")
OPTIONS = ("towel", "mug")
PRICES = (100, 333, 500, 500, 999, 1000, 1500, 2000)
SHOPS = 700
"""Random carts of each kind that are held against brute force."""

Key = tuple[int, int, int, tuple[int, ...]]


def code_of(campaign: Campaign | None) -> str | None:
    return None if campaign is None else campaign.code


def kept(priced: Priced) -> Counter[tuple[str, str, int]]:
    return Counter((each.campaign, each.sku, each.quantity) for each in priced.added.entries)


def key_of(quoting: Quoting, assignment: Assignment, priced: Priced) -> Key:
    """How assignments compare: total, value of gifts, changes from the default, then rank by rank."""
    products = quoting.world.products
    gifts = sum(
        products[sku].price * pieces for each in priced.gifts.values() for sku, pieces in each.pieces.items()
    )
    changes = sum(code_of(a) != code_of(b) for a, b in zip(assignment, quoting.default, strict=True))
    ranks = tuple(
        [code_of(each) for each in choices].index(code_of(chosen))
        for choices, chosen in zip(quoting.usable(), assignment, strict=True)
    )
    return priced.total, -gifts, changes, ranks


def allowed(quoting: Quoting, priced: Priced, before: Priced) -> bool:
    within = all(not quoting.pricing.over_limit(each, priced.added) for each in priced.joined.values())
    return within and not kept(before) - kept(priced)


def brute_force(quoting: Quoting) -> Key:
    """The least key of all assignments that are allowed."""
    before = quoting.price(quoting.default)
    keys = []
    for assignment in itertools.product(*quoting.usable()):
        priced = quoting.price(assignment)
        if allowed(quoting, priced, before):
            keys.append(key_of(quoting, assignment, priced))
    return min(keys)


def found_in(wanted: Cart, shop: World) -> tuple[Quoting, Found]:
    quoting = Quoting(wanted, shop)
    return quoting, search.best(quoting.pricing, quoting.default, quoting.usable())


def hold(wanted: Cart, shop: World) -> Found:
    """Hold what the search finds against brute force."""
    quoting, found = found_in(wanted, shop)
    best = brute_force(quoting)
    priced = quoting.price(found.assignment)
    default = quoting.price(quoting.default)
    assert found.total == priced.total <= default.total
    assert allowed(quoting, priced, default)
    assert all(each in choices for each, choices in zip(found.assignment, quoting.usable(), strict=True))
    assert 0 <= found.total - best[0] <= found.gap
    if found.proved:
        assert found.gap == 0
        assert key_of(quoting, found.assignment, priced) == best
    return found


def ways(quoting: Quoting) -> int:
    count = 1
    for each in quoting.usable():
        count *= len(each)
    return count


def tiers(dice: random.Random, *amounts: int) -> list[int]:
    return sorted(dice.sample(amounts, dice.randint(1, 2)))


def _gift_rows(dice: random.Random) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": dice.randint(1, 2)} for sku in dice.sample((*GIFTS, "a"), dice.randint(1, 2))]


def _reduction(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.4:
        off = dice.choice((50, 100, 500))
        return {"mode": "every", "spend": 500, "off": off, "cap": dice.choice((None, 2 * off))}
    return {"mode": "tiers", "tiers": [{"spend": at, "off": at // 5} for at in tiers(dice, 500, 1000, 2000, 3000)]}


def _discount(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.5:
        return {"by": "count", "tiers": [{"at": at, "percent_off": 10 * at} for at in tiers(dice, 1, 2, 3, 5)]}
    return {
        "by": "amount",
        "tiers": [{"at": at, "percent_off": at // 100} for at in tiers(dice, 500, 1000, 2000, 3500)],
    }


def _item(dice: random.Random) -> dict[str, Any]:
    return dice.choice(({"percent_off": 10}, {"percent_off": 33.33}, {"amount_off": 99}, {"price": 400}))


def _bundle(dice: random.Random) -> dict[str, Any]:
    parts = dice.sample(LINES, dice.randint(2, 3))
    return {"price": dice.choice((300, 1200)), "components": [{"sku": sku, "quantity": 1} for sku in parts]}


def _item_gift(dice: random.Random) -> dict[str, Any]:
    return {"gifts": _gift_rows(dice), "per": dice.randint(1, 2), "max": dice.choice((None, 2))}


def _threshold_gift(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.3:
        return {"by": "count", "mode": "every", "tiers": [{"at": 2, "gifts": [{"same_item": True, "quantity": 1}]}]}
    rows = []
    for at in tiers(dice, 500, 1000, 2000):
        gifts = _gift_rows(dice)
        rows.append({"at": at, "gifts": gifts, **({"choose": 1} if dice.random() < 0.5 else {})})
    return {"by": "amount", "mode": dice.choice(("best", "cumulative")), "tiers": rows}


def _add_on(dice: random.Random) -> dict[str, Any]:
    return {
        "tiers": [
            {"spend": at, "options": [{"sku": sku, "price": 50 + at // 50, "limit": 2} for sku in OPTIONS]}
            for at in tiers(dice, 1, 500, 1500)
        ]
    }


RULES = {
    "threshold_reduction": _reduction,
    "threshold_discount": _discount,
    "item_discount": _item,
    "bundle": _bundle,
    "item_gift": _item_gift,
    "threshold_gift": _threshold_gift,
    "add_on": _add_on,
}


def _coupon_terms(dice: random.Random) -> dict[str, Any]:
    terms: dict[str, Any] = dict(
        dice.choice(
            (
                {"amount_off": 300},
                {"amount_off": 10_000},
                {"percent_off": 20},
                {"percent_off": 99},
                {"percent_off": 30, "cap": 250},
            )
        )
    )
    terms["threshold"] = dice.choice((0, 800, 1500, 2500, 4000))
    scope = dice.choice(("all", "all", "items", "category"))
    if scope == "items":
        terms |= {"scope": scope, "items": dice.sample(LINES, 2)}
    if scope == "category":
        terms |= {"scope": scope, "categories": ["cups"]}
    return terms


def _left(dice: random.Random) -> Left:
    return dice.choice((Left(total=1), Left(total=2), Left(budget=300), Left(budget=1), Left(per_shopper=3)))


def dense(seed: int, types: tuple[str, ...] = tuple(RULES)) -> tuple[Cart, World]:
    """A cart whose lines may all join most campaigns, at prices that make ties and thresholds met exactly."""
    dice = random.Random(f"dense {seed}")
    skus = LINES[: dice.randint(1, 5)]
    campaigns: dict[str, Campaign] = {}
    for number in range(dice.randint(1, 4)):
        name = dice.choice(types)
        rule = RULES[name](dice)
        scope: dict[str, Any] = {"scope": "all"}
        if name == "bundle":
            scope = {"items": [each["sku"] for each in rule["components"]]}
        elif dice.random() < 0.4:
            scope = {"items": dice.sample(LINES, dice.randint(1, 4))}
        campaigns[f"c{number}"] = campaign(
            name,
            rule,
            code=f"c{number}",
            priority=dice.randint(0, 2),
            coupons_allowed=dice.random() < 0.8,
            **scope,
        )
    prices = {sku: dice.choice(PRICES) for sku in (*LINES, *GIFTS, *OPTIONS)}
    short = {sku: dice.choice((0, 1, 2)) for sku in prices if sku not in LINES and dice.random() < 0.4}
    with_coupon = dice.random() < 0.5
    shop = world(
        *campaigns.values(),
        products=[Product(sku, price, ("cups",) if dice.random() < 0.5 else ()) for sku, price in prices.items()],
        free=short,
        left={code: _left(dice) for code in campaigns if dice.random() < 0.15},
        coupon=coupon(**_coupon_terms(dice)) if with_coupon else None,
    )
    lines = [
        {
            "sku": sku,
            "quantity": dice.choice((1, 1, 2)),
            **({"campaign": dice.choice((None, "c0"))} if dice.random() < 0.1 else {}),
            **({"selected": False} if dice.random() < 0.05 else {}),
        }
        for sku in skus
    ]
    chosen: dict[str, Any] = {
        "add_ons": [
            {"campaign": code, "sku": sku, "quantity": dice.randint(1, 2)}
            for code, each in campaigns.items()
            if each.type_name == "add_on"
            for sku in OPTIONS
            if dice.random() < 0.7
        ],
        "gifts": {code: dice.choices(GIFTS, k=dice.randint(0, 2)) for code in campaigns if dice.random() < 0.2},
    }
    return cart(lines, **chosen, **({"coupon": "SAVE"} if with_coupon else {})), shop


@pytest.mark.parametrize("part", range(4))
def test_the_best_is_what_brute_force_finds_with_every_type_coupon_limit_and_shortage(part: int) -> None:
    proved = 0
    for seed in range(part * SHOPS, (part + 1) * SHOPS):
        try:
            proved += hold(*dense(seed)).proved
        except AssertionError as error:
            raise AssertionError(f"dense({seed}): {error}") from error
    assert proved >= 0.99 * SHOPS

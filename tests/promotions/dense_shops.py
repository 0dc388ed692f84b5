"""Small shops in which nearly every line may join nearly every campaign, at prices that make ties."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.world import Left, Product, World
from tests.promotions.worlds import campaign, cart, coupon, world

LINES = "abcde"
GIFTS = ("mug", "pen")
OPTIONS = ("towel", "mug")
PRICES = (100, 333, 500, 500, 999, 1000, 1500, 2000)


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
    skus = LINES[: dice.choice((1, 2, 3, 3, 4, 4, 5))]
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


MENU: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("item_discount", {"amount_off": 100}),
    ("item_discount", {"percent_off": 20}),
    ("threshold_reduction", {"mode": "tiers", "tiers": [{"spend": 1000, "off": 300}]}),
    ("threshold_reduction", {"mode": "every", "spend": 500, "off": 80}),
    ("threshold_discount", {"by": "count", "tiers": [{"at": 2, "percent_off": 15}, {"at": 3, "percent_off": 30}]}),
    ("threshold_gift", {"by": "amount", "tiers": [{"at": 500, "gifts": [{"sku": "mug"}]}]}),
    ("item_gift", {"gifts": [{"sku": "mug"}, {"sku": "pen"}], "per": 2}),
    ("add_on", {"tiers": [{"spend": 1000, "options": [{"sku": "towel", "price": 90, "limit": 1}]}]}),
)
COUPONS: tuple[Mapping[str, Any] | None, ...] = (
    None,
    {"amount_off": 300, "threshold": 1500},
    {"percent_off": 25, "threshold": 1000},
    {"percent_off": 40, "cap": 300, "scope": "items", "items": ["a", "c"], "threshold": 600},
)


@st.composite
def small_shops(draw: st.DrawFn) -> tuple[Cart, World]:
    """The same kind of shops, drawn so that a failure shrinks to a cart one can read."""
    prices = draw(st.lists(st.sampled_from((500, 333, 1000, 999)), min_size=1, max_size=4))
    skus = LINES[: len(prices)]
    picked = draw(st.lists(st.sampled_from(MENU), min_size=1, max_size=4))
    campaigns = [
        campaign(
            name,
            rule,
            code=f"c{number}",
            priority=draw(st.integers(0, 2)),
            coupons_allowed=draw(st.booleans()),
            items=draw(st.lists(st.sampled_from(skus), min_size=1, unique=True)),
        )
        for number, (name, rule) in enumerate(picked)
    ]
    terms = draw(st.sampled_from(COUPONS))
    shop = world(
        *campaigns,
        prices={**dict(zip(skus, prices, strict=True)), "mug": 200, "pen": 50, "towel": 150},
        free={"mug": draw(st.integers(0, 3))},
        coupon=None if terms is None else coupon(**terms),
        left={"c0": draw(st.sampled_from((Left(), Left(total=1), Left(budget=250), Left(total=2))))},
    )
    add_ons = [{"campaign": each.code, "sku": "towel"} for each in campaigns if each.type_name == "add_on"]
    quantities = draw(st.lists(st.integers(1, 2), min_size=len(skus), max_size=len(skus)))
    with_coupon = {} if terms is None else {"coupon": "SAVE"}
    return cart(list(zip(skus, quantities, strict=True)), add_ons=add_ons, **with_coupon), shop

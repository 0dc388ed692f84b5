"""Given stored campaigns that another version or another program spoilt, a cart is priced all the same."""

from __future__ import annotations

import copy
import random
from typing import Any

from admin.promotions import registry
from admin.promotions.campaign import Campaign, read_campaign
from tests.promotions.random_shops import PRICES, RULES, SEED
from tests.promotions.worlds import CURRENCY, DAY_MS, NOW_MS, body_of, campaign, coupon, quote, world

CARTS = 800
SPOILT: tuple[Any, ...] = (
    None,
    0,
    1,
    -1,
    10**13,
    True,
    "",
    "much",
    0.5,
    99.999,
    [],
    {},
    [None],
    [{}],
    {"sku": "a"},
)
SKUS = "abc"


def spoil(dice: random.Random, body: Any, share: float) -> Any:
    """A copy in which some values are others, gone or listed twice."""
    if dice.random() < share:
        return copy.deepcopy(dice.choice(SPOILT))
    if isinstance(body, dict):
        kept = {name: each for name, each in body.items() if dice.random() > share}
        return {name: spoil(dice, each, share) for name, each in kept.items()}
    if isinstance(body, list):
        rows = [spoil(dice, each, share) for each in body]
        return rows + rows[:1] if dice.random() < share else rows
    return body


def stored(dice: random.Random, code: str) -> Campaign:
    name = dice.choice(sorted(RULES))
    rule = RULES[name](dice)
    body = body_of(name, {}, code=code, items=list(SKUS), priority=dice.randint(0, 9))
    spoilt = spoil(dice, {name: each for name, each in body.items() if name not in {"starts_at", "ends_at"}}, 0.02)
    found = {"type": name, **(spoilt if isinstance(spoilt, dict) else {})}
    found |= {"rule": spoil(dice, rule, 0.1), "starts_at": NOW_MS - DAY_MS, "ends_at": NOW_MS + DAY_MS}
    return read_campaign(code, found, CURRENCY)


def test_whatever_was_stored_a_cart_is_priced() -> None:
    unreadable = odd = 0
    for number in range(CARTS):
        dice = random.Random(f"{SEED} stored {number}")
        campaigns = [stored(dice, f"c{each}") for each in range(3)]
        prices = {sku: dice.choice(PRICES) for sku in (*SKUS, "mug", "spoon", "pen", "towel", "soap")}
        shop = world(*campaigns, prices=prices, coupon=coupon(percent_off=10), operator=dice.random() < 0.5)
        skus = dice.sample(SKUS, dice.randint(1, 3))
        lines: list[Any] = [(sku, dice.randint(1, 4)) for sku in skus]
        if len(lines) == 1 and dice.random() < 0.5:
            lines = [(*lines[0], campaigns[0].code)]
        more = {"coupon": "SAVE", "explain": True, "strategy": dice.choice(("priority", "best"))}
        try:
            quote(lines, shop, add_ons=[{"campaign": "c0", "sku": "towel"}], gifts={"c1": ["mug"]}, **more)
        except Exception as error:
            told = [(each.type_name, each.rule, dict(each.items)) for each in campaigns]
            raise AssertionError(f"{number}: {told}") from error
        unreadable += sum(each.broken is not None for each in campaigns)
        odd += sum(each.broken is None for each in campaigns)
    assert min(unreadable, odd) > CARTS // 2


def test_what_has_nothing_but_its_type_is_priced_too() -> None:
    for name in registry.available():
        bare = read_campaign("bare", {"type": name}, CURRENCY)
        running = read_campaign("run", body_of(name, {}, items=["a"]), CURRENCY)
        usual = campaign("item_discount", {"amount_off": 1}, code="usual", scope="all")
        shop = world(bare, running, usual, prices={"a": 500, "b": 700}, operator=True)
        for lines in ([("a", 1, "run")], [("a", 1, "bare")], [("a", 2), ("b", 1)]):
            quote(lines, shop, explain=True)

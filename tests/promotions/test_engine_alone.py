"""Given a product alone, lists and pages get the price that a quote for it would tell, in whatever shop."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions import engine
from admin.promotions.alone import Alone, payable
from admin.promotions.campaign import Campaign
from admin.promotions.cart import QUANTITY_MAX, Cart, CartLine
from admin.promotions.world import Product, World
from tests.promotions.random_shops import Drawn, draw
from tests.promotions.worlds import campaign, world

SHOPS = 300
UNITS = 12
"""As far as the slow way counts."""


def shop(seed: int) -> tuple[Drawn, list[Product]]:
    drawn = draw(seed)
    sold = [each for each in drawn.world.products.values() if each.on_sale and not each.gift_only]
    return drawn, sold


def quoted(drawn: Drawn, sku: str, quantity: int = 1, **about: Any) -> Any:
    """The line of a quote for one product."""
    line = CartLine(sku=sku, quantity=quantity, **about)
    cart = Cart(lines=[line], channel=drawn.cart.channel, store=drawn.cart.store, explain=True)
    return engine.quote(cart, drawn.world)["lines"][0]


@pytest.mark.parametrize("part", range(3))
def test_one_unit_costs_what_a_quote_says(part: int) -> None:
    joined = 0
    for seed in range(part, SHOPS, 3):
        drawn, sold = shop(seed)
        alone = Alone(drawn.world, drawn.cart.channel, drawn.cart.store)
        prices = alone.prices(sold)
        for product in sold:
            line = quoted(drawn, product.sku)
            found = alone.default(product)
            assert (found and found.campaign.code) == line["campaign"], (seed, product)
            assert payable(product, found) == prices[product.sku] == line["payable"], (seed, product)
            joined += found is not None
    assert joined > 100


def test_the_first_step_is_where_a_quote_reaches_it() -> None:
    reached, never = 0, 0
    for seed in range(SHOPS // 3):
        drawn, sold = shop(seed)
        alone = Alone(drawn.world, drawn.cart.channel, drawn.cart.store)
        for product in sold:
            for each in drawn.world.index.candidates(product.sku, product.categories):
                if not judged(each, alone):
                    continue
                expected = counted(drawn, product.sku, each.code)
                found = alone.reach(each, product)
                units = None if found is None else found.group.units
                if expected is not None or units is None or units <= UNITS:
                    assert units == (expected and expected["quantity"]), (seed, product.sku, each.code)
                if found is not None and expected is not None:
                    assert payable(product, found) == expected["payable"]
                    assert found.unit_prices(1, found.shares()[0]) == expected["unit_payables"]
                reached, never = reached + (expected is not None), never + (expected is None)
    assert reached > 50
    assert never > 20


def judged(each: Campaign, alone: Alone) -> bool:
    """Whether a shopper could choose it now, so that a quote can tell."""
    return alone.judge.closed(each) is None and each.type is not None and each.type.evaluate is not None


def counted(drawn: Drawn, sku: str, code: str) -> Any:
    """The quote for the smallest number of units with which a campaign applies."""
    for quantity in range(1, UNITS + 1):
        line = quoted(drawn, sku, quantity, campaign=code)
        states = {choice["campaign"]: choice["state"] for choice in line["choices"]}
        if line["campaign"] == code and states[code] == "applied":
            return line
    return None


@pytest.mark.parametrize("price", [1, 3])
def test_a_step_that_no_cart_can_reach_is_never_reached(price: int) -> None:
    far = QUANTITY_MAX * 2
    rule = {"mode": "tiers", "tiers": [{"spend": far, "off": 1}]}
    found: World = world(campaign("threshold_reduction", rule), products=[Product("kettle", price)])
    reached = Alone(found).reach(next(iter(found.index.all())), Product("kettle", price))
    assert (reached and reached.group.units) == {1: None, 3: far // 3}[price]

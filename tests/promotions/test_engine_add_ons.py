"""Given products at an add-on price, a cart gets those that it reached, and hears why not of the others."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions.campaign import Campaign
from admin.promotions.world import Left, World
from tests.promotions.worlds import campaign, choices, left_off, product, quote, world

PRICES = {"kettle": 10000, "lamp": 5000, "towel": 1500, "soap": 800, "pen": 300}
LADDER = {
    "tiers": [
        {"spend": 5000, "options": [{"sku": "towel", "price": 900, "limit": 2}]},
        {"spend": 10000, "options": [{"sku": "soap", "price": 0}]},
    ]
}


def plus(**terms: Any) -> Campaign:
    return campaign("add_on", LADDER, **{"code": "plus", "scope": "all", **terms})


def shop(*campaigns: Campaign, **free: int) -> World:
    return world(*campaigns, prices=PRICES, free=free)


def wish(sku: str, quantity: int = 1, code: str = "plus") -> dict[str, Any]:
    return {"campaign": code, "sku": sku, "quantity": quantity}


def added(reply: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(each["sku"], each["quantity"], each["payable"]) for each in reply["add_ons"]]


def test_all_reached_tiers_offer_their_options() -> None:
    reply = quote({"kettle": 1}, shop(plus()), add_ons=[wish("towel", 2), wish("soap")])
    assert added(reply) == [("towel", 2, 1800), ("soap", 1, 0)]
    assert (reply["subtotal"], reply["discount"], reply["total"]) == (10000, 0, 11800)
    assert [(each["line"], each["campaign"], each["unit_price"]) for each in reply["add_ons"]] == [
        (2, "plus", 900),
        (3, "plus", 0),
    ]


@pytest.mark.parametrize(
    ("cart", "wanted", "why"),
    [
        pytest.param({"lamp": 1}, wish("soap"), "not_reached", id="a tier that is not reached"),
        pytest.param({"pen": 1}, wish("towel"), "not_reached", id="no tier is reached"),
        pytest.param({"lamp": 1}, wish("pen"), "not_an_option", id="nothing offers it, now or later"),
        pytest.param({"kettle": 1}, wish("pen"), "not_an_option", id="no tier offers it"),
        pytest.param({"kettle": 1}, wish("towel", 3), "over_limit", id="more than the limit"),
        pytest.param({"kettle": 1}, wish("soap", 2), "over_limit", id="more than the usual limit of one"),
        pytest.param({"kettle": 1}, wish("towel", code="nowhere"), "not_joined", id="no such campaign"),
        pytest.param([("kettle", 1, None)], wish("towel"), "not_joined", id="nothing joined it"),
    ],
)
def test_what_cannot_be_had_is_left_off_and_never_charged(cart: Any, wanted: dict[str, Any], why: str) -> None:
    reply = quote(cart, shop(plus()), add_ons=[wanted])
    assert (reply["add_ons"], reply["total"]) == ([], reply["subtotal"])
    assert left_off(reply) == [(wanted["sku"], wanted["campaign"], why)]


def test_an_option_that_costs_its_base_price_is_left_off() -> None:
    for base, why in ((900, "not_below_base"), (901, None)):
        cheaper = world(plus(), prices={**PRICES, "towel": base})
        reply = quote({"kettle": 1}, cheaper, add_ons=[wish("towel")])
        assert [each[2] for each in left_off(reply)] == ([why] if why else [])


@pytest.mark.parametrize("facts", [{"on_sale": False}, {"gift_only": True}], ids=["off sale", "only a gift"])
def test_an_option_that_is_not_sold_is_left_off(facts: dict[str, bool]) -> None:
    products = [product("kettle", 10000), product("towel", 1500, **facts)]
    reply = quote({"kettle": 1}, world(plus(), products=products), add_ons=[wish("towel"), wish("soap")])
    assert left_off(reply) == [("towel", "plus", "unavailable"), ("soap", "plus", "unavailable")]


def test_what_is_bought_goes_before_what_is_added() -> None:
    assert added(quote({"towel": 7}, shop(plus(), towel=8), add_ons=[wish("towel")])) == [("towel", 1, 900)]
    reply = quote({"towel": 8}, shop(plus(), towel=8), add_ons=[wish("towel")])
    assert left_off(reply) == [("towel", "plus", "out_of_stock")]


def test_add_ons_never_count_for_thresholds() -> None:
    reply = quote({"lamp": 1}, shop(plus()), add_ons=[wish("towel", 2)])
    assert reply["groups"][0]["subtotal"] == 5000
    assert reply["groups"][0]["next"] == {"spend_more": 5000, "then": {"discount": 0, "gifts": []}}


def test_reductions_count_for_the_budget() -> None:
    # Two towels are 600 each below base.
    for budget, state in ((1200, "applied"), (1199, "exhausted")):
        limited = world(plus(), prices=PRICES, left={"plus": Left(budget=budget)})
        reply = quote({"kettle": 1}, limited, add_ons=[wish("towel", 2)], explain=True)
        assert choices(reply)["plus"][0] == state
        assert bool(reply["add_ons"]) == (state == "applied")
    assert left_off(reply) == [("towel", "plus", "used_up")]


def test_the_lines_that_earned_them_may_go_and_the_add_ons_go_with_them() -> None:
    bare = [{"sku": "kettle", "quantity": 1, "selected": False}, ("pen", 1)]
    reply = quote(bare, shop(plus()), add_ons=[wish("towel")])
    assert left_off(reply) == [("towel", "plus", "not_reached")]

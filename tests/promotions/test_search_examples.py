"""Given carts that one can reckon by hand, the search finds what is best, and why is plain to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from admin.promotions.searching import proof
from admin.promotions.world import Left
from tests.promotions.brute_force import code_of, hold
from tests.promotions.dense_shops import LINES
from tests.promotions.worlds import campaign, cart, coupon, quote, world

TOGETHER = {"mode": "tiers", "tiers": [{"spend": 1000, "off": 300}]}


def changed(reply: Mapping[str, Any]) -> list[str | None]:
    return [line["campaign"] for line in reply["lines"]]


def test_of_equal_totals_the_one_with_more_valuable_gifts_wins() -> None:
    shop = world(
        campaign("item_gift", {"gifts": [{"sku": "pen"}]}, code="pens", priority=2),
        campaign("item_gift", {"gifts": [{"sku": "mug"}]}, code="mugs", priority=1),
        prices={"kettle": 1000, "pen": 50, "mug": 200},
    )
    assert changed(quote({"kettle": 1}, shop, strategy="best")) == ["mugs"]
    assert changed(quote({"kettle": 1}, replace(shop, free={"kettle": 9, "pen": 9}), strategy="best")) == ["pens"]


def test_of_equal_totals_and_gifts_the_one_with_fewer_changes_wins() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="one", priority=2, items=["a", "b"]),
        campaign("item_discount", {"amount_off": 100}, code="two", priority=1, items=["a", "b"]),
        prices={"a": 1000, "b": 1000},
    )
    assert changed(quote({"a": 1, "b": 1}, shop, strategy="best")) == ["one", "one"]


def test_a_chosen_add_on_is_not_lost_for_a_lower_total() -> None:
    options = [{"sku": "towel", "price": 90, "limit": 1}]
    shop = world(
        campaign("add_on", {"tiers": [{"spend": 500, "options": options}]}, code="plus", priority=2),
        campaign("item_discount", {"amount_off": 400}, code="less", priority=1),
        prices={"kettle": 1000, "towel": 150},
    )
    chosen = [{"campaign": "plus", "sku": "towel"}]
    assert changed(quote({"kettle": 1}, shop, strategy="best")) == ["less"]
    assert changed(quote({"kettle": 1}, shop, strategy="best", add_ons=chosen)) == ["plus"]


def test_a_dearer_choice_wins_when_only_it_reaches_the_threshold_of_the_coupon() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 200}, code="less"),
        prices={"kettle": 1000},
        coupon=coupon(amount_off=500, threshold=900),
    )
    reply = quote({"kettle": 1}, shop, strategy="best", coupon="SAVE")
    assert (changed(reply), reply["total"], reply["search"]) == ([None], 500, {"proved": True, "gap": 0})


def test_lines_gather_in_one_campaign_when_only_together_they_reach_it() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="each", priority=2, items=["a", "b"]),
        campaign("threshold_reduction", TOGETHER, code="both", priority=1, items=["a", "b"]),
        prices={"a": 500, "b": 500},
    )
    best = quote({"a": 1, "b": 1}, shop, strategy="best")
    assert (changed(best), best["total"]) == (["both", "both"], 700)
    pinned = quote([("a", 1, "each"), ("b", 1)], shop, strategy="best")
    assert (changed(pinned), pinned["total"]) == (["each", "each"], 800)


def test_no_group_takes_more_of_a_campaign_than_is_left() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="each", priority=2, items=["a", "b"]),
        campaign("threshold_reduction", TOGETHER, code="both", priority=1, items=["a", "b"]),
        prices={"a": 500, "b": 500},
        left={"both": Left(budget=299)},
    )
    assert changed(quote({"a": 1, "b": 1}, shop, strategy="best")) == ["each", "each"]


def test_a_gift_that_two_campaigns_want_is_counted_once() -> None:
    """Apart, `mugs` and `cups` would both give the only mug; the pens are then worth more."""
    shop = world(
        campaign("item_gift", {"gifts": [{"sku": "mug"}]}, code="mugs", priority=3, items=["a"]),
        campaign("item_gift", {"gifts": [{"sku": "mug"}]}, code="cups", priority=2, items=["b"]),
        campaign("item_gift", {"gifts": [{"sku": "pen"}]}, code="pens", priority=1, items=["b"]),
        prices={"a": 500, "b": 500, "mug": 200, "pen": 50},
        free={"mug": 1},
    )
    assert changed(quote({"a": 1, "b": 1}, shop, strategy="best")) == ["mugs", "pens"]
    assert changed(quote({"a": 1, "b": 1}, replace(shop, free={**shop.free, "mug": 2}), strategy="best")) == [
        "mugs",
        "cups",
    ]


def test_gifts_for_which_many_lines_compete_are_not_proved_with_few_nodes() -> None:
    gift = {"gifts": [{"sku": "mug"}]}
    pairs = [(sku, code) for sku in LINES for code in ("x", "y")]
    shop = world(
        *(campaign("item_gift", gift, code=f"{sku}{code}", items=[sku]) for sku, code in pairs),
        prices={**dict.fromkeys(LINES, 500), "mug": 200},
        free={"mug": 2},
        nodes_max=300,
    )
    wanted = cart([(sku, 1, None) if sku == "e" else (sku, 1) for sku in LINES])
    assert not hold(wanted, shop).proved
    assert hold(wanted, replace(shop, nodes_max=10_000)).proved


def test_an_add_on_that_two_campaigns_want_is_counted_once() -> None:
    options = [{"sku": "towel", "price": 90, "limit": 1}]
    shop = world(
        *(
            campaign("add_on", {"tiers": [{"spend": 1, "options": options}]}, code=f"plus-{sku}", items=[sku])
            for sku in "ab"
        ),
        prices={"a": 500, "b": 500, "towel": 150},
        free={"towel": 1},
    )
    chosen = [{"campaign": f"plus-{sku}", "sku": "towel"} for sku in "ab"]
    found = hold(cart({"a": 1, "b": 1}, add_ons=chosen), shop)
    assert [code_of(each) for each in found.assignment] == ["plus-a", "plus-b"]
    assert found.proved
    assert hold(cart({"a": 1, "b": 1}, add_ons=chosen), replace(shop, free={**shop.free, "towel": 2})).total == 1180


def test_a_line_stays_where_an_add_on_that_is_sold_out_costs_nothing() -> None:
    """`plus-b` cannot add the only towel again, so that `b` need not leave it."""
    options = [{"sku": "towel", "price": 90, "limit": 1}]
    adding = {"tiers": [{"spend": 1, "options": options}]}
    shop = world(
        *(campaign("add_on", adding, code=f"plus-{sku}", items=[sku]) for sku in "ab"),
        campaign("threshold_reduction", TOGETHER, code="far", priority=1, items=["c"]),
        campaign("item_discount", {"amount_off": 50}, code="less", items=["c"]),
        prices={"a": 500, "b": 500, "c": 500, "towel": 150},
        free={"towel": 1},
    )
    chosen = [{"campaign": f"plus-{sku}", "sku": "towel"} for sku in "ab"]
    found = hold(cart(dict.fromkeys("abc", 1), add_ons=chosen), shop)
    assert [code_of(each) for each in found.assignment] == ["plus-a", "plus-b", "less"]


def test_a_dearer_gift_is_had_when_another_campaign_takes_the_cheap_one() -> None:
    picks = [{"sku": "pen", "quantity": 1}, {"sku": "mug", "quantity": 1}]
    one_of = {"by": "count", "tiers": [{"at": 1, "gifts": picks, "choose": 1}]}
    shop = world(
        campaign("threshold_reduction", TOGETHER, code="far", priority=3, items=["a"]),
        campaign("item_gift", {"gifts": [{"sku": "pen"}]}, code="pens", items=["a"]),
        campaign("threshold_gift", one_of, code="one", items=["b"]),
        campaign("item_gift", {"gifts": [{"sku": "bag"}]}, code="bags", priority=1, items=["b"]),
        prices={"a": 500, "b": 500, "pen": 50, "bag": 200, "mug": 900},
        free={"pen": 1},
    )
    found = hold(cart({"a": 1, "b": 1}), shop)
    assert [code_of(each) for each in found.assignment] == ["pens", "one"]


def test_an_add_on_is_not_lost_to_a_cheaper_one_of_the_same_product() -> None:
    """`plus-b` is served first, so that joining it would take the only towel from `plus-a`."""
    shop = world(
        *(
            campaign(
                "add_on",
                {"tiers": [{"spend": 1, "options": [{"sku": "towel", "price": price, "limit": 1}]}]},
                code=f"plus-{sku}",
                items=[sku],
            )
            for sku, price in (("a", 90), ("b", 10))
        ),
        campaign("threshold_reduction", TOGETHER, code="far", priority=1, items=["b"]),
        prices={"a": 500, "b": 500, "towel": 150},
        free={"towel": 1},
    )
    chosen = [{"campaign": f"plus-{sku}", "sku": "towel"} for sku in "ba"]
    found = hold(cart({"a": 1, "b": 1}, add_ons=chosen), shop)
    assert [code_of(each) for each in found.assignment] == ["plus-a", "far"]


def test_a_line_outside_every_group_gives_up_its_discount_for_the_coupon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "DUG", 0)
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="less", items=["a"]),
        campaign("threshold_reduction", TOGETHER, code="both", items=["b", "c"]),
        campaign("threshold_reduction", TOGETHER, code="pair", items=["d", "e"]),
        prices={"a": 600, **dict.fromkeys("bcde", 500)},
        coupon=coupon(amount_off=700, threshold=2000),
    )
    found = hold(cart(dict.fromkeys("abcde", 1), coupon="SAVE"), shop)
    joined = [code_of(each) for each in found.assignment]
    assert (joined, found.total) == ([None, "both", "both", "pair", "pair"], 1300)


def test_many_lines_gather_in_one_campaign_when_only_all_together_reach_it() -> None:
    prices = {f"s{number}": 500 for number in range(18)}
    all_of_them = {"mode": "tiers", "tiers": [{"spend": 500 * len(prices), "off": 2000}]}
    shop = world(
        campaign("item_discount", {"amount_off": 10}, code="each", priority=1, scope="all"),
        campaign("threshold_reduction", all_of_them, code="all", scope="all"),
        prices=prices,
    )
    best = quote(dict.fromkeys(prices, 1), shop, strategy="best")
    assert (best["total"], best["search"]["proved"]) == (500 * len(prices) - 2000, False)
    assert best["search"]["gap"] <= 10 * len(prices)

"""Given a right to gifts, a cart gets what was picked, else the first in stock, and hears what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions.campaign import Campaign
from admin.promotions.world import World
from tests.promotions.worlds import campaign, gifts, left_off, product, quote, world

PRICES = {"kettle": 10000, "lamp": 5000, "cup": 1000, "mug": 1900, "spoon": 500, "bag": 900}


def rows(*skus: str, quantity: int = 1) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": quantity} for sku in skus]


def by_count(*tiers: dict[str, Any], **terms: Any) -> Campaign:
    rule = {"by": "count", "mode": terms.pop("mode", "best"), "tiers": list(tiers), "max": terms.pop("max", None)}
    return campaign("threshold_gift", rule, **{"code": "gift", "scope": "all", **terms})


ONE_OF_THREE = {"at": 1, "gifts": rows("mug", "spoon", "bag"), "choose": 1}
TWO_OF_THREE = {**ONE_OF_THREE, "choose": 2}
ALL_THREE = {"at": 1, "gifts": rows("mug", "spoon", "bag")}
SAME_ITEM = {"at": 2, "gifts": [{"same_item": True, "quantity": 1}]}


def shop(*campaigns: Campaign, **free: int) -> World:
    return world(*campaigns, prices=PRICES, free=free)


@pytest.mark.parametrize(
    ("tier", "free", "given", "missing"),
    [
        pytest.param(ONE_OF_THREE, {}, {"mug": 1}, [], id="the first"),
        pytest.param(ONE_OF_THREE, {"mug": 0}, {"spoon": 1}, [], id="the first in stock"),
        pytest.param(TWO_OF_THREE, {}, {"mug": 1, "spoon": 1}, [], id="the first two"),
        pytest.param(TWO_OF_THREE, {"mug": 0}, {"spoon": 1, "bag": 1}, [], id="the first two in stock"),
        pytest.param(
            TWO_OF_THREE, {"mug": 0, "bag": 0}, {"spoon": 1}, ["mug", "bag"], id="one is all there is of two"
        ),
        pytest.param(ALL_THREE, {}, {"mug": 1, "spoon": 1, "bag": 1}, [], id="all"),
        pytest.param(ALL_THREE, {"spoon": 0}, {"mug": 1, "bag": 1}, ["spoon"], id="all but what is gone"),
        pytest.param(
            ONE_OF_THREE, {"mug": 0, "spoon": 0, "bag": 0}, {}, ["mug", "spoon", "bag"], id="nothing left"
        ),
    ],
)
def test_without_a_pick_the_first_in_stock_are_given(
    tier: dict[str, Any], free: dict[str, int], given: dict[str, int], missing: list[str]
) -> None:
    reply = quote({"kettle": 1}, shop(by_count(tier), **free))
    assert gifts(reply) == given
    assert left_off(reply) == [(sku, "gift", "out_of_stock") for sku in missing]
    assert reply["total"] == 10000


def test_the_first_gives_way_to_the_next_when_it_runs_out() -> None:
    # Three times one of three, but only two mugs.
    reply = quote({"kettle": 3}, shop(by_count(ONE_OF_THREE, mode="every"), mug=2))
    assert (gifts(reply), left_off(reply)) == ({"mug": 2, "spoon": 1}, [])


def test_an_empty_pick_declines() -> None:
    for tier in (ONE_OF_THREE, ALL_THREE, {**SAME_ITEM, "at": 1}):
        reply = quote({"kettle": 1}, shop(by_count(tier)), gifts={"gift": []})
        assert (reply["gifts"], reply["left_off"]) == ([], [])


@pytest.mark.parametrize(
    ("picks", "given", "refused"),
    [
        pytest.param(["bag"], {"bag": 1}, [], id="fewer than allowed"),
        pytest.param(["bag", "bag", "spoon", "bag"], {"bag": 3, "spoon": 1}, [], id="one again and again"),
        pytest.param(["bag"] * 5, {"bag": 4}, [("bag", "too_many")], id="one too many"),
        pytest.param(["lamp", "mug"], {"mug": 1}, [("lamp", "not_an_option")], id="one that is not offered"),
        pytest.param(["ghost"], {}, [("ghost", "not_an_option")], id="one that does not exist"),
    ],
)
def test_picks_are_a_multiset_of_choose_for_each_time(
    picks: list[str], given: dict[str, int], refused: list[tuple[str, str]]
) -> None:
    # Twice two of three: four picks.
    promo = by_count({**TWO_OF_THREE, "at": 3}, mode="every")
    reply = quote({"kettle": 7}, shop(promo), gifts={"gift": picks})
    assert gifts(reply) == given
    assert left_off(reply) == [(sku, "gift", why) for sku, why in refused]


def test_a_pick_that_is_out_of_stock_is_left_off() -> None:
    reply = quote({"kettle": 1}, shop(by_count(ONE_OF_THREE), bag=0), gifts={"gift": ["bag"]})
    assert (gifts(reply), left_off(reply)) == ({}, [("bag", "gift", "out_of_stock")])


def test_a_pick_brings_as_many_pieces_as_it_lists() -> None:
    promo = by_count({"at": 1, "gifts": rows("spoon", "mug", quantity=6), "choose": 1})
    reply = quote({"kettle": 1}, shop(promo), gifts={"gift": ["mug"]})
    assert gifts(reply) == {"mug": 6}
    # Five are less than the six that belong together.
    reply = quote({"kettle": 1}, shop(promo, mug=5), gifts={"gift": ["mug"]})
    assert (gifts(reply), left_off(reply)) == ({}, [("mug", "gift", "out_of_stock")])


def test_where_all_are_given_some_may_be_declined() -> None:
    reply = quote({"kettle": 1}, shop(by_count(ALL_THREE)), gifts={"gift": ["bag", "mug"]})
    assert gifts(reply) == {"bag": 1, "mug": 1}
    reply = quote({"kettle": 1}, shop(by_count(ALL_THREE)), gifts={"gift": ["bag", "bag"]})
    assert (gifts(reply), left_off(reply)) == ({"bag": 1}, [("bag", "gift", "too_many")])


def test_picks_of_several_tiers_come_out_of_the_tier_that_offers_them() -> None:
    tiers = [
        {"at": 1, "gifts": rows("mug", "spoon"), "choose": 1},
        {"at": 2, "gifts": rows("mug", "bag"), "choose": 1},
    ]
    reply = quote({"kettle": 2}, shop(by_count(*tiers, mode="cumulative")), gifts={"gift": ["mug", "mug", "bag"]})
    assert (gifts(reply), left_off(reply)) == ({"mug": 2}, [("bag", "gift", "too_many")])


def test_a_further_piece_is_of_the_cheapest_product_then_of_the_earlier_line() -> None:
    assert gifts(quote({"lamp": 1, "cup": 1}, shop(by_count(SAME_ITEM)))) == {"cup": 1}
    same = world(by_count(SAME_ITEM), prices={"b": 700, "a": 700})
    assert gifts(quote({"b": 1, "a": 1}, same)) == {"b": 1}
    assert gifts(quote({"a": 1, "b": 1}, same)) == {"a": 1}


def test_a_further_piece_may_be_picked_among_what_joined() -> None:
    promo = by_count(SAME_ITEM, scope="items", items=["lamp", "cup"])
    picked = quote({"lamp": 1, "cup": 1, "kettle": 1}, shop(promo), gifts={"gift": ["lamp"]})
    assert (gifts(picked), picked["total"]) == ({"lamp": 1}, 16000)
    other = quote({"lamp": 1, "cup": 1, "kettle": 1}, shop(promo), gifts={"gift": ["kettle"]})
    assert (gifts(other), left_off(other)) == ({}, [("kettle", "gift", "not_an_option")])


def test_a_further_piece_needs_stock_beyond_what_is_bought() -> None:
    assert gifts(quote({"lamp": 1, "cup": 1}, shop(by_count(SAME_ITEM), cup=2))) == {"cup": 1}
    assert gifts(quote({"lamp": 1, "cup": 1}, shop(by_count(SAME_ITEM), cup=1))) == {"lamp": 1}


def test_what_is_bought_goes_before_what_is_given() -> None:
    promo = by_count({"at": 1, "gifts": rows("mug")}, scope="items", items=["kettle"])
    assert gifts(quote({"kettle": 1, "mug": 2}, shop(promo, mug=3))) == {"mug": 1}
    reply = quote({"kettle": 1, "mug": 3}, shop(promo, mug=3))
    assert (gifts(reply), left_off(reply)) == ({}, [("mug", "gift", "out_of_stock")])
    unselected = [("kettle", 1), {"sku": "mug", "quantity": 3, "selected": False}]
    assert gifts(quote(unselected, shop(promo, mug=3))) == {"mug": 1}


def test_two_of_a_product_may_bring_a_third() -> None:
    rule = {"gifts": rows("mug"), "per": 2}
    promo = campaign("item_gift", rule, code="tea", items=["mug"])
    reply = quote({"mug": 4}, shop(promo, mug=6))
    assert (gifts(reply), reply["total"]) == ({"mug": 2}, 4 * 1900)
    # What is given does not bring more, and needs stock of its own.
    assert gifts(quote({"mug": 4}, shop(promo, mug=5))) == {"mug": 1}


def test_add_ons_go_before_gifts_and_earlier_groups_before_later_ones() -> None:
    first = by_count({"at": 1, "gifts": rows("mug")}, code="one", scope="items", items=["kettle"])
    second = by_count({"at": 1, "gifts": rows("mug")}, code="two", scope="items", items=["lamp"])
    options = {"tiers": [{"spend": 1, "options": [{"sku": "mug", "price": 100, "limit": 5}]}]}
    plus = campaign("add_on", options, code="plus", items=["cup"])
    chosen = [{"campaign": "plus", "sku": "mug"}]
    reply = quote({"lamp": 1, "kettle": 1, "cup": 1}, shop(first, second, plus, mug=2), add_ons=chosen)
    assert [(gift["campaign"], gift["sku"], gift["quantity"]) for gift in reply["gifts"]] == [("two", "mug", 1)]
    assert left_off(reply) == [("mug", "one", "out_of_stock")]


def test_gifts_never_count_for_thresholds() -> None:
    promo = by_count({"at": 2, "gifts": rows("mug")}, {"at": 3, "gifts": rows("bag")})
    reply = quote({"kettle": 1, "mug": 1}, shop(promo))
    assert (gifts(reply), reply["groups"][0]["units"]) == ({"mug": 1}, 2)


def test_goods_that_are_not_for_sale_are_given_but_not_sold() -> None:
    promo = by_count({"at": 1, "gifts": rows("mug")})
    products = [product("kettle", 10000), product("mug", 1900, gift_only=True)]
    reply = quote({"kettle": 1, "mug": 1}, world(promo, products=products))
    assert (gifts(reply), [line["state"] for line in reply["lines"]]) == ({"mug": 1}, ["ok", "unavailable"])
    assert reply["total"] == 10000


def test_a_gift_that_was_deleted_is_left_off() -> None:
    promo = by_count({"at": 1, "gifts": rows("gone")})
    reply = quote({"kettle": 1}, shop(promo))
    assert (gifts(reply), left_off(reply)) == ({}, [("gone", "gift", "out_of_stock")])


def test_picks_for_a_campaign_that_gives_nothing_say_why() -> None:
    promo = by_count({"at": 5, "gifts": rows("mug")})
    cents = campaign("item_discount", {"percent_off": 10}, code="cents", items=["lamp"], priority=1)
    over = by_count(
        {"at": 1, "gifts": rows("mug")}, code="later", starts_at=9_000_000_000_000, ends_at=9_100_000_000_000
    )
    picks = {"gift": ["mug", "mug"], "cents": ["mug"], "nowhere": ["mug"], "later": ["mug"]}
    reply = quote({"kettle": 1, "lamp": 1}, shop(promo, cents, over), gifts=picks)
    assert left_off(reply) == [
        ("mug", "gift", "not_reached"),
        ("mug", "cents", "not_an_option"),
        ("mug", "nowhere", "not_joined"),
        ("mug", "later", "not_started"),
    ]


@pytest.mark.parametrize(
    ("mode", "given"),
    [("best", {"spoon": 1}), ("cumulative", {"mug": 1, "spoon": 1})],
)
def test_a_hint_says_what_is_missing_and_what_it_brings(mode: str, given: dict[str, int]) -> None:
    promo = by_count({"at": 2, "gifts": rows("mug")}, {"at": 5, "gifts": rows("spoon")}, mode=mode)
    (group,) = quote({"kettle": 3}, shop(promo))["groups"]
    step = group["next"]
    assert (group["tier"], step["buy_more"], step["then"]["discount"]) == (0, 2, 0)
    assert {gift["sku"]: gift["quantity"] for gift in step["then"]["gifts"]} == given


def test_gifts_cost_and_change_nothing() -> None:
    promo = by_count({"at": 1, "gifts": rows("mug", quantity=3)})
    reply = quote({"kettle": 1}, shop(promo))
    assert reply["gifts"] == [{"line": 2, "sku": "mug", "quantity": 3, "campaign": "gift", "unit_price": 0}]
    assert (reply["subtotal"], reply["total"]) == (10000, 10000)

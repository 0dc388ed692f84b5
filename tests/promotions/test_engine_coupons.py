"""Given a coupon, it comes off what its lines cost after promotions, or says why it does not."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions.audience import Shopper
from tests.promotions.worlds import (
    AMY,
    DAY_MS,
    NOW_MS,
    campaign,
    code_of,
    coupon,
    payables,
    product,
    quote,
    world,
)

PRICES = {"kettle": 10000, "lamp": 5000, "cup": 1001}
HALF = {"percent_off": 50}


def used(reply: dict[str, Any]) -> tuple[str, str | None, int]:
    """State, code of the reason, discount."""
    told = reply["coupon"]
    return told["state"], code_of(told["reason"]), told["discount"]


def test_it_is_shared_over_what_the_lines_still_cost() -> None:
    # The lamp costs 2500 after its promotion: 1000 off 12500 is 800 and 200.
    promo = campaign("item_discount", HALF, items=["lamp"])
    shop = world(promo, prices=PRICES, coupon=coupon(amount_off=1000))
    reply = quote({"kettle": 1, "lamp": 1}, shop, coupon="SAVE")
    assert payables(reply) == [9200, 2300]
    assert used(reply) == ("applied", None, 1000)
    assert (reply["discount"], reply["coupon_discount"], reply["total"]) == (2500, 1000, 11500)
    assert reply["coupon"]["code"] == "SAVE"


def test_inside_a_line_it_is_shared_over_what_the_units_still_cost() -> None:
    # One set of two cups for 1000: the cups cost 500, 500 and 1001. 200 off: 49.98, 49.98 and 100.05.
    promo = campaign("bundle", {"price": 1000, "components": [{"sku": "cup", "quantity": 2}]}, items=["cup"])
    shop = world(promo, prices=PRICES, coupon=coupon(amount_off=200))
    reply = quote({"cup": 3}, shop, coupon="SAVE")
    assert reply["lines"][0]["unit_payables"] == [450, 450, 901]


@pytest.mark.parametrize(
    ("terms", "discount"),
    [
        pytest.param({"percent_off": 10}, 200, id="1802 after half up of 1801.8"),
        pytest.param({"percent_off": 12.5}, 250, id="1751.75 up to 1752"),
        pytest.param({"percent_off": 50}, 1001, id="exact"),
        pytest.param({"percent_off": 50, "cap": 300}, 300, id="a cap"),
        pytest.param({"percent_off": 10, "cap": 300}, 200, id="a cap that is not needed"),
        pytest.param({"amount_off": 5000}, 2002, id="no more than the lines cost"),
    ],
)
def test_it_rounds_once_then_caps_then_stops_at_the_cost(terms: dict[str, Any], discount: int) -> None:
    reply = quote({"cup": 2}, world(prices=PRICES, coupon=coupon(**terms)), coupon="SAVE")
    assert used(reply) == ("applied", None, discount)
    assert reply["total"] == 2002 - discount


def test_an_order_may_cost_nothing() -> None:
    reply = quote({"cup": 1, "lamp": 2}, world(prices=PRICES, coupon=coupon(amount_off=99999)), coupon="SAVE")
    assert (payables(reply), reply["total"]) == ([0, 0], 0)


def test_lines_that_cost_nothing_already_bear_nothing() -> None:
    free = campaign("item_discount", {"price": 0}, items=["lamp"])
    shop = world(free, prices=PRICES, coupon=coupon(amount_off=100))
    assert payables(quote({"lamp": 1, "cup": 1}, shop, coupon="SAVE")) == [0, 901]
    assert used(quote({"lamp": 1}, shop, coupon="SAVE")) == ("applied", None, 0)


@pytest.mark.parametrize(("threshold", "state"), [(5000, "applied"), (5001, "threshold_not_met")])
def test_its_threshold_looks_at_prices_after_promotions(threshold: int, state: str) -> None:
    shop = world(campaign("item_discount", HALF), prices=PRICES, coupon=coupon(amount_off=1, threshold=threshold))
    reply = quote({"kettle": 1}, shop, coupon="SAVE")
    assert reply["coupon"]["state"] == state


def test_it_says_how_much_is_missing() -> None:
    shop = world(prices=PRICES, coupon=coupon(amount_off=1, threshold=12345))
    reply = quote({"kettle": 1}, shop, coupon="SAVE")
    assert used(reply) == ("threshold_not_met", "spend_more", 0)
    assert "23.45" in reply["coupon"]["reason"]


@pytest.mark.parametrize(
    "scope",
    [{"scope": "items", "items": ["lamp"]}, {"scope": "category", "categories": ["light"]}],
    ids=["items", "category"],
)
def test_only_the_lines_of_its_scope_count_and_bear(scope: dict[str, Any]) -> None:
    products = [product("kettle", 10000), product("lamp", 5000, "desk", "light")]
    shop = world(products=products, coupon=coupon(amount_off=6000, threshold=5000, **scope))
    assert payables(quote({"kettle": 1, "lamp": 1}, shop, coupon="SAVE")) == [10000, 0]
    shop = world(products=products, coupon=coupon(amount_off=6000, threshold=5001, **scope))
    assert used(quote({"kettle": 1, "lamp": 1}, shop, coupon="SAVE"))[:2] == ("threshold_not_met", "spend_more")
    assert used(quote({"kettle": 1}, shop, coupon="SAVE"))[:2] == ("nothing_in_scope", "nothing_in_scope")
    unselected = [{"sku": "lamp", "quantity": 1, "selected": False}, ("kettle", 1)]
    assert used(quote(unselected, shop, coupon="SAVE"))[0] == "nothing_in_scope"


CLOSED = {"mode": "tiers", "tiers": [{"spend": 10000, "off": 500}]}


def test_lines_of_a_campaign_that_allows_no_coupons_neither_count_nor_bear() -> None:
    promo = campaign("threshold_reduction", CLOSED, coupons_allowed=False)
    shop = world(promo, prices=PRICES, coupon=coupon(amount_off=6000, threshold=5000))
    reply = quote({"kettle": 1, "lamp": 1}, shop, coupon="SAVE")
    assert payables(reply) == [9500, 0]
    shop = world(promo, prices=PRICES, coupon=coupon(amount_off=6000, threshold=5001))
    assert used(quote({"kettle": 1, "lamp": 1}, shop, coupon="SAVE")) == ("threshold_not_met", "spend_more", 0)
    assert used(quote({"kettle": 1}, shop, coupon="SAVE")) == ("nothing_in_scope", "nothing_in_scope", 0)


def test_a_campaign_that_did_not_apply_keeps_no_coupon_away() -> None:
    promo = campaign("threshold_reduction", CLOSED, items=["lamp"], coupons_allowed=False)
    shop = world(promo, prices=PRICES, coupon=coupon(amount_off=700))
    reply = quote({"lamp": 1}, shop, coupon="SAVE")
    assert (reply["lines"][0]["campaign"], payables(reply)) == ("promo", [4300])


def test_group_buys_allow_no_coupons_by_default() -> None:
    shop = world(campaign("group_buy", {"price": 9000}), prices=PRICES, coupon=coupon(amount_off=700))
    assert used(quote([("kettle", 1, "promo")], shop, coupon="SAVE"))[0] == "nothing_in_scope"


def presale(**terms: Any) -> dict[str, Any]:
    window = {"balance_starts_at": NOW_MS + DAY_MS, "balance_ends_at": NOW_MS + 2 * DAY_MS}
    return {"price": 9000, "deposit": 1000, "mode": "leverage", "multiplier": 3, **window, **terms}


def test_of_a_presale_the_threshold_looks_at_its_price() -> None:
    # P 9000, deposit 1000, credit 3000: 7000 are paid in all, but 9000 count.
    for threshold, state in ((9000, "applied"), (9001, "threshold_not_met")):
        shop = world(
            campaign("presale", presale()), prices=PRICES, coupon=coupon(amount_off=1, threshold=threshold)
        )
        assert used(quote([("kettle", 1, "promo")], shop, coupon="SAVE"))[0] == state


def test_of_a_presale_only_the_balance_is_reduced() -> None:
    shop = world(campaign("presale", presale()), prices=PRICES, coupon=coupon(amount_off=500))
    reply = quote([("kettle", 1, "promo")], shop, coupon="SAVE")
    assert (reply["presale"]["deposit"], reply["presale"]["balance"], reply["total"]) == (1000, 5500, 6500)
    shop = world(campaign("presale", presale()), prices=PRICES, coupon=coupon(amount_off=99999))
    reply = quote([("kettle", 1, "promo")], shop, coupon="SAVE")
    assert used(reply) == ("applied", None, 6000)
    assert (reply["presale"]["deposit"], reply["presale"]["balance"], reply["total"]) == (1000, 0, 1000)


def test_add_ons_and_gifts_are_outside() -> None:
    add_on = campaign(
        "add_on", {"tiers": [{"spend": 1, "options": [{"sku": "cup", "price": 900}]}]}, code="plus", items=["lamp"]
    )
    shop = world(add_on, prices=PRICES, coupon=coupon(percent_off=50, threshold=5001))
    chosen = [{"campaign": "plus", "sku": "cup"}]
    assert used(quote({"lamp": 1}, shop, add_ons=chosen, coupon="SAVE"))[0] == "threshold_not_met"
    shop = world(add_on, prices=PRICES, coupon=coupon(percent_off=50, threshold=5000))
    reply = quote({"lamp": 1}, shop, add_ons=chosen, coupon="SAVE")
    assert (payables(reply), reply["coupon_discount"], reply["total"]) == ([2500], 2500, 3400)
    shop = world(add_on, prices=PRICES, coupon=coupon(amount_off=1, scope="items", items=["cup"]))
    assert used(quote({"lamp": 1}, shop, add_ons=chosen, coupon="SAVE"))[0] == "nothing_in_scope"


MEMBERS = {"kind": "members", "levels": [2]}
OVER = {"starts_at": NOW_MS - DAY_MS, "ends_at": NOW_MS}


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        pytest.param({"ended": True}, ("not_running", "ended"), id="ended by hand"),
        pytest.param({"ends_at": NOW_MS}, ("not_running", "ended"), id="over at this very moment"),
        pytest.param({"ends_at": NOW_MS + 1}, ("applied", None), id="its last millisecond"),
        pytest.param({"starts_at": NOW_MS}, ("applied", None), id="its first millisecond"),
        pytest.param({"starts_at": NOW_MS + 1}, ("not_running", "not_started"), id="not started"),
        pytest.param({"audience": MEMBERS}, ("not_eligible", "level"), id="for others"),
        pytest.param({"claim_required": True}, ("not_claimed", "not_claimed"), id="not claimed"),
        pytest.param({"claim_required": True, "claimed": True}, ("applied", None), id="claimed"),
        pytest.param({"uses_left": 0}, ("exhausted", "used_up"), id="used up"),
        pytest.param({"uses_left": 1}, ("applied", None), id="the last one"),
        pytest.param({**OVER, "audience": MEMBERS, "uses_left": 0}, ("not_running", "ended"), id="over goes first"),
    ],
)
def test_it_says_why_it_cannot_be_used(terms: dict[str, Any], told: tuple[str, str | None]) -> None:
    shop = world(prices=PRICES, shopper=AMY, coupon=coupon(**{"amount_off": 1, **terms}))
    reply = quote({"kettle": 1}, shop, coupon="SAVE")
    assert used(reply) == (*told, 1 if told[0] == "applied" else 0)


def test_one_that_does_not_exist_is_unknown() -> None:
    reply = quote({"kettle": 1}, world(prices=PRICES), coupon="NOPE")
    assert reply["coupon"]["code"] == "NOPE"
    assert used(reply) == ("unknown", "unknown_coupon", 0)


def test_without_one_there_is_none() -> None:
    assert quote({"kettle": 1}, world(prices=PRICES))["coupon"] is None


def test_guests_are_no_members() -> None:
    shop = world(prices=PRICES, coupon=coupon(amount_off=1, audience={"kind": "members"}))
    assert used(quote({"kettle": 1}, shop, coupon="SAVE"))[:2] == ("not_eligible", "members_only")
    signed_in = world(prices=PRICES, shopper=Shopper(sub="bob", level=1), coupon=shop.coupon)
    assert used(quote({"kettle": 1}, signed_in, coupon="SAVE"))[0] == "applied"


def test_its_discount_does_not_move_promotions() -> None:
    # The threshold of a campaign looks at base prices, so 1000 off still is 1000 off.
    promo = campaign("threshold_reduction", {"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}]})
    shop = world(promo, prices=PRICES, coupon=coupon(percent_off=20))
    reply = quote({"kettle": 1}, shop, coupon="SAVE")
    assert (reply["discount"], reply["coupon_discount"], reply["total"]) == (1000, 1800, 7200)

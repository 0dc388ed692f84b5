"""Given carts small enough to price by hand, the engine comes to the same cent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.promotions.worlds import DAY_MS, NOW_MS, campaign, payables, quote, world

OFF_10_FROM_100 = {"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}]}


def by_unit(reply: dict[str, Any]) -> list[list[int]]:
    return [line["unit_payables"] for line in reply["lines"]]


def test_a_cart_without_campaigns_costs_its_base_prices() -> None:
    reply = quote({"kettle": 2, "lamp": 1}, world(prices={"kettle": 12900, "lamp": 5900}))
    assert payables(reply) == [25800, 5900]
    assert by_unit(reply) == [[12900, 12900], [5900]]
    assert (reply["subtotal"], reply["discount"], reply["total"]) == (31700, 0, 31700)


def test_an_empty_cart_costs_nothing() -> None:
    reply = quote({}, world())
    assert (reply["lines"], reply["groups"], reply["total"]) == ([], [], 0)


@pytest.mark.parametrize(
    ("rule", "price", "unit_price"),
    [
        pytest.param({"percent_off": 40}, 9999, 5999, id="5999.4 down"),
        pytest.param({"percent_off": 50}, 999, 500, id="499.5 half up"),
        pytest.param({"percent_off": 33.33}, 1000, 667, id="666.7 up"),
        pytest.param({"percent_off": 0.01}, 4999, 4999, id="4998.5001 rounds back to the price"),
        pytest.param({"percent_off": 99.99}, 4999, 0, id="0.4999 down to nothing"),
        pytest.param({"percent_off": 99.99}, 5000, 1, id="0.5 half up"),
        pytest.param({"amount_off": 2000}, 12900, 10900, id="an amount"),
        pytest.param({"amount_off": 500}, 500, 0, id="the whole price"),
        pytest.param({"price": 6000}, 12900, 6000, id="a price"),
        pytest.param({"price": 0}, 12900, 0, id="for nothing"),
    ],
)
def test_an_item_discount_rounds_each_unit(rule: dict[str, float], price: int, unit_price: int) -> None:
    reply = quote({"kettle": 3}, world(campaign("item_discount", rule), prices={"kettle": price}))
    assert by_unit(reply) == [[unit_price] * 3]
    assert reply["discount"] == 3 * (price - unit_price)


def test_other_percentages_round_once_for_the_group() -> None:
    # 10 % off 3 × 333 + 105 = 1104: 993.6 is left, so 994, and 110 are off. By unit it would have been 111.
    promo = campaign("threshold_discount", {"by": "count", "tiers": [{"at": 2, "percent_off": 10}]}, scope="all")
    reply = quote({"cup": 3, "lid": 1}, world(promo, prices={"cup": 333, "lid": 105}))
    assert reply["discount"] == 110
    # 110 × 999 / 1104 = 99.53 and 110 × 105 / 1104 = 10.46: the cent left over goes to the larger remainder.
    assert [line["discount"] for line in reply["lines"]] == [100, 10]
    # 100 over three units: the first bears the cent left over.
    assert by_unit(reply) == [[299, 300, 300], [95]]


@pytest.mark.parametrize(
    ("subtotal", "percent", "discount"),
    [
        pytest.param(101, 50, 50, id="50.5 is paid as 51"),
        pytest.param(1, 50, 0, id="half a cent is paid"),
        pytest.param(10001, 12.5, 1250, id="8750.875 up"),
        pytest.param(10003, 12.5, 1250, id="8752.625 up"),
        pytest.param(10000, 0.01, 1, id="exact"),
        pytest.param(4999, 0.01, 0, id="4998.5001 up"),
        pytest.param(5001, 0.01, 1, id="5000.4999 down"),
    ],
)
def test_what_is_left_of_a_percentage_is_rounded_half_up(subtotal: int, percent: float, discount: int) -> None:
    rule = {"by": "count", "tiers": [{"at": 1, "percent_off": percent}]}
    reply = quote({"kettle": 1}, world(campaign("threshold_discount", rule), prices={"kettle": subtotal}))
    assert reply["discount"] == discount


def test_remainders_go_to_the_largest_and_ties_to_the_earlier_line() -> None:
    # 1000 off 10001: 333.27, 333.27 and 333.47, so 333 each, and the last cent to the largest remainder.
    promo = campaign("threshold_reduction", OFF_10_FROM_100, scope="all")
    shop = world(promo, prices={"cup": 3333, "plate": 3333, "bowl": 3335})
    assert payables(quote({"cup": 1, "plate": 1, "bowl": 1}, shop)) == [3000, 3000, 3001]
    # 1000 off three equal lines: 333.33 each, and the earliest line bears the cent left over.
    shop = world(promo, prices={"cup": 4000, "plate": 4000, "bowl": 4000})
    assert payables(quote({"cup": 1, "plate": 1, "bowl": 1}, shop)) == [3666, 3667, 3667]


def test_shares_follow_base_subtotals_not_units() -> None:
    # 1000 off 9000 + 2 × 500: 900 and 100.
    promo = campaign("threshold_reduction", OFF_10_FROM_100, scope="all")
    reply = quote({"lamp": 1, "cup": 2}, world(promo, prices={"lamp": 9000, "cup": 500}))
    assert [line["discount"] for line in reply["lines"]] == [900, 100]
    assert by_unit(reply) == [[8100], [450, 450]]


def test_a_line_that_costs_nothing_bears_nothing() -> None:
    promo = campaign("threshold_reduction", OFF_10_FROM_100, scope="all")
    reply = quote({"leaflet": 3, "lamp": 1}, world(promo, prices={"leaflet": 0, "lamp": 10000}))
    assert payables(reply) == [0, 9000]


def test_a_group_may_cost_nothing() -> None:
    promo = campaign("threshold_reduction", {"mode": "every", "spend": 1, "off": 1}, scope="all")
    reply = quote({"lamp": 2, "cup": 3}, world(promo, prices={"lamp": 4999, "cup": 7}))
    assert (payables(reply), reply["total"]) == ([0, 0], 0)


def test_the_units_inside_sets_share_and_the_rest_pay_in_full() -> None:
    # Two sets of 2 cups and 1 pot for 500 each: parts 2 × (400 + 300) = 1400, so 400 are off.
    # 4 of 5 cups weigh 800 and 2 of 3 pots 600: 228.57 and 171.43, so 229 and 171.
    rule = {"price": 500, "components": [{"sku": "cup", "quantity": 2}, {"sku": "pot", "quantity": 1}]}
    promo = campaign("bundle", rule, items=["cup", "pot"])
    reply = quote({"cup": 5, "pot": 3}, world(promo, prices={"cup": 200, "pot": 300}))
    assert [line["discount"] for line in reply["lines"]] == [229, 171]
    # 229 over four cups: 58, 57, 57, 57. 171 over two pots: 86, 85.
    assert by_unit(reply) == [[142, 143, 143, 143, 200], [214, 215, 300]]


def test_a_set_never_costs_more_than_its_parts() -> None:
    promo = campaign("bundle", {"price": 5000, "components": [{"sku": "cup", "quantity": 3}]}, items=["cup"])
    assert quote({"cup": 4}, world(promo, prices={"cup": 1000}))["total"] == 4000
    assert quote({"cup": 4}, world(promo, prices={"cup": 2000}))["total"] == 7000


def test_campaigns_are_priced_apart() -> None:
    cents = campaign("threshold_reduction", {"mode": "every", "spend": 1000, "off": 100}, code="a", items=["cup"])
    third = campaign("item_discount", {"percent_off": 33.33}, code="b", items=["lamp", "pot"])
    shop = world(cents, third, prices={"cup": 999, "lamp": 1000, "pot": 2000, "pen": 50})
    reply = quote({"lamp": 1, "cup": 2, "pen": 1, "pot": 1}, shop)
    # lamp 667; cups 1998 − 100; pen 50; pot 1333.4 down to 1333.
    assert payables(reply) == [667, 1898, 50, 1333]
    assert [
        (group["campaign"], group["subtotal"], group["units"], group["discount"]) for group in reply["groups"]
    ] == [
        ("b", 3000, 2, 1000),
        ("a", 1998, 2, 100),
    ]


def test_thresholds_count_what_joined_and_nothing_else() -> None:
    promo = campaign("threshold_reduction", OFF_10_FROM_100, items=["cup", "pot"])
    shop = world(promo, prices={"cup": 5000, "pot": 4999, "lamp": 90000})
    assert quote({"cup": 1, "pot": 1, "lamp": 1}, shop)["discount"] == 0
    assert quote({"cup": 2, "lamp": 1}, shop)["discount"] == 1000
    assert quote([("cup", 2, None), ("pot", 2)], shop)["discount"] == 0


def test_a_stored_rule_that_takes_off_more_than_there_is_makes_a_group_free() -> None:
    promo = campaign("threshold_reduction", {"mode": "every", "spend": 100, "off": 900}, scope="all")
    reply = quote({"cup": 2, "pot": 1}, world(promo, prices={"cup": 150, "pot": 50}))
    assert (reply["discount"], reply["total"]) == (350, 0)


def test_a_stored_campaign_never_raises_a_price() -> None:
    dearer = campaign("item_discount", {"price": 2000})
    reply = quote({"kettle": 1}, world(dearer, prices={"kettle": 1999}))
    assert (reply["total"], reply["lines"][0]["campaign"]) == (1999, None)


def presale(**terms: Any) -> dict[str, Any]:
    window = {"balance_starts_at": NOW_MS + DAY_MS, "balance_ends_at": NOW_MS + 2 * DAY_MS}
    return {"mode": "leverage", **window, **terms}


@pytest.mark.parametrize(
    ("rule", "deposit", "credit", "balance", "total"),
    [
        # P 9999, d = 10 % = 999.9 up to 1000, c = 3 × 1000; two units.
        pytest.param(presale(deposit_percent=10, multiplier=3), 2000, 6000, 13998, 15998, id="leverage"),
        # d = 12.34 % = 1233.8766 up to 1234, c = 2.25 × 1234 = 2776.5 half up to 2777.
        pytest.param(presale(deposit_percent=12.34, multiplier=2.25), 2468, 5554, 14444, 16912, id="half up"),
        # P 8001 of its own, d 800.1 down, c the same.
        pytest.param(
            presale(price=8001, deposit_percent=10, mode="confirm"), 1600, 1600, 14402, 16002, id="confirm"
        ),
    ],
)
def test_a_presale_is_a_deposit_and_a_balance(
    rule: dict[str, Any], deposit: int, credit: int, balance: int, total: int
) -> None:
    reply = quote([("kettle", 2, "promo")], world(campaign("presale", rule), prices={"kettle": 9999}))
    told = reply["presale"]
    assert (told["deposit"], told["credit"], told["balance"]) == (deposit, credit, balance)
    assert reply["total"] == deposit + balance == total
    assert told["balance_starts_at"] == "2026-11-23T12:00:00+00:00"


def test_a_group_buy_costs_its_price() -> None:
    promo = campaign("group_buy", {"price": 9900, "size": 3, "limit_per_shopper": 2})
    reply = quote([("kettle", 2, "promo")], world(promo, prices={"kettle": 12900}))
    assert by_unit(reply) == [[9900, 9900]]

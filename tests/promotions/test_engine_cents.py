"""Given carts small enough to price by hand, the engine comes to the same cent."""

from __future__ import annotations

import pytest

from tests.promotions.worlds import campaign, payables, quote, world

OFF_10_FROM_100 = {"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}]}


def test_a_cart_without_campaigns_costs_its_base_prices() -> None:
    reply = quote({"kettle": 2, "lamp": 1}, world(prices={"kettle": 12900, "lamp": 5900}))
    assert payables(reply) == [25800, 5900]
    assert [line["unit_payables"] for line in reply["lines"]] == [[12900, 12900], [5900]]
    assert (reply["subtotal"], reply["discount"], reply["total"]) == (31700, 0, 31700)


@pytest.mark.parametrize(
    ("rule", "price", "unit_price"),
    [
        pytest.param({"percent_off": 40}, 9999, 5999, id="59.994 down"),
        pytest.param({"percent_off": 50}, 999, 500, id="4.995 half up"),
        pytest.param({"percent_off": 33.33}, 1000, 667, id="6.667 up"),
        pytest.param({"percent_off": 0.01}, 4999, 4999, id="49.985 rounds back to the price"),
        pytest.param({"amount_off": 2000}, 12900, 10900, id="an amount"),
        pytest.param({"amount_off": 500}, 500, 0, id="the whole price"),
        pytest.param({"price": 6000}, 12900, 6000, id="a price"),
    ],
)
def test_an_item_discount_rounds_each_unit(rule: dict[str, float], price: int, unit_price: int) -> None:
    reply = quote({"kettle": 3}, world(campaign("item_discount", rule), prices={"kettle": price}))
    assert reply["lines"][0]["unit_payables"] == [unit_price] * 3
    assert reply["discount"] == 3 * (price - unit_price)


def test_remainders_go_to_the_largest_and_ties_to_the_earlier_line() -> None:
    # 1000 off 10001: 333.27, 333.27 and 333.47, so 333 each, and the last cent to the largest remainder.
    promo = campaign("threshold_reduction", OFF_10_FROM_100, items=["cup", "plate", "bowl"])
    shop = world(promo, prices={"cup": 3333, "plate": 3333, "bowl": 3335})
    assert payables(quote({"cup": 1, "plate": 1, "bowl": 1}, shop)) == [3000, 3000, 3001]

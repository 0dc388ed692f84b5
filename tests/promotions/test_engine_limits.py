"""Given a campaign with limits, it applies as a whole or not at all, and the next best takes its place."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions.campaign import Campaign
from admin.promotions.world import Left
from tests.promotions.worlds import DAY_MS, NOW_MS, campaign, choices, coupon, payables, quote, world

PRICES = {"kettle": 10000, "lamp": 5000}
USED_UP = ("exhausted", "used_up", None)


def off(amount: int, **terms: Any) -> Campaign:
    return campaign(
        "item_discount", {"amount_off": amount}, **{"code": "big", "scope": "all", "priority": 9, **terms}
    )


USUAL = campaign("item_discount", {"amount_off": 1}, code="usual", scope="all")


def over(spend: int = 1) -> Campaign:
    rule = {"mode": "every", "spend": spend, "off": 1}
    return campaign("threshold_reduction", rule, code="big", scope="all", priority=9)


@pytest.mark.parametrize(
    ("promo", "left", "applies"),
    [
        pytest.param(off(500), Left(total=3), True, id="as many units as are left"),
        pytest.param(off(500), Left(total=2), False, id="more units than are left"),
        pytest.param(off(500), Left(per_shopper=3), True, id="as many units as the shopper has left"),
        pytest.param(off(500), Left(per_shopper=2), False, id="more units than the shopper has left"),
        pytest.param(off(500), Left(budget=1500), True, id="exactly the budget"),
        pytest.param(off(500), Left(budget=1499), False, id="one cent over the budget"),
        pytest.param(off(500), Left(total=100, budget=1499), False, id="the tightest limit counts"),
        pytest.param(over(), Left(total=1), True, id="other types count orders"),
        pytest.param(over(), Left(total=0), False, id="no order is left"),
        pytest.param(over(), Left(per_shopper=0), False, id="no order is left for this shopper"),
        pytest.param(over(), Left(budget=0), False, id="no budget is left"),
        pytest.param(over(), Left(), True, id="no limit"),
    ],
)
def test_it_applies_as_a_whole_or_not_at_all(promo: Campaign, left: Left, applies: bool) -> None:
    shop = world(promo, USUAL, prices=PRICES, left={"big": left})
    reply = quote({"kettle": 2, "lamp": 1}, shop, explain=True)
    assert {line["campaign"] for line in reply["lines"]} == {"big" if applies else "usual"}
    for line in (1, 2):
        assert choices(reply, line)["big"][0] == ("applied" if applies else "exhausted")
        assert applies or choices(reply, line)["big"] == USED_UP


def test_the_shoppers_own_choice_is_not_applied_in_part_either() -> None:
    shop = world(off(500), USUAL, prices=PRICES, left={"big": Left(total=2)})
    reply = quote([("kettle", 2, "big"), ("lamp", 1, "big")], shop)
    assert payables(reply) == [19998, 4999]
    assert list(choices(reply).items()) == [("big", USED_UP), ("usual", ("applied", None, 19998))]


def test_another_choice_may_leave_enough() -> None:
    shop = world(off(500), USUAL, prices=PRICES, left={"big": Left(total=2)})
    reply = quote([("kettle", 2, "big"), ("lamp", 1, None)], shop, explain=True)
    assert payables(reply) == [19000, 5000]
    # With the lamp there would be three units.
    assert choices(reply, 2) == {"big": USED_UP, "usual": ("beaten", "other_choice", 4999)}


def test_what_is_not_reached_needs_nothing() -> None:
    shop = world(over(99999), USUAL, prices=PRICES, left={"big": Left(budget=1, total=1)})
    assert choices(quote({"kettle": 1}, shop))["big"][0] == "not_reached"


def test_a_campaign_that_is_used_up_hands_its_lines_to_others_which_may_run_out_then() -> None:
    next_one = off(400, code="next", priority=8)
    left = {"big": Left(total=1), "next": Left(total=1)}
    reply = quote({"kettle": 2}, world(off(500), next_one, USUAL, prices=PRICES, left=left), explain=True)
    assert choices(reply) == {"big": USED_UP, "next": USED_UP, "usual": ("applied", None, 19998)}


def test_neither_gifts_nor_a_coupon_count_for_the_budget() -> None:
    shop = world(off(500), prices=PRICES, left={"big": Left(budget=500)}, coupon=coupon(amount_off=700))
    reply = quote({"kettle": 1}, shop, coupon="SAVE")
    assert (choices(reply)["big"][0], reply["total"]) == ("applied", 8800)
    gift = campaign("item_gift", {"gifts": [{"sku": "lamp"}]}, code="big", items=["kettle"])
    reply = quote({"kettle": 1}, world(gift, prices=PRICES, left={"big": Left(budget=1)}))
    assert (choices(reply)["big"][0], len(reply["gifts"])) == ("applied", 1)


def test_presales_count_units() -> None:
    rule = {"deposit": 100, "balance_starts_at": NOW_MS + DAY_MS, "balance_ends_at": NOW_MS + 2 * DAY_MS}
    for total, state in ((2, "applied"), (1, "exhausted")):
        shop = world(campaign("presale", rule, code="big"), prices=PRICES, left={"big": Left(total=total)})
        assert choices(quote([("kettle", 2, "big")], shop))["big"][0] == state


def test_limits_of_other_campaigns_change_nothing() -> None:
    with_limits = world(USUAL, prices=PRICES, left={"elsewhere": Left(total=0, budget=0)})
    assert quote({"kettle": 1}, with_limits) == quote({"kettle": 1}, world(USUAL, prices=PRICES))


def test_the_best_choice_gives_what_is_left_to_some_of_the_lines() -> None:
    # By default three units would need more than two. The kettles alone save 1000, the lamp alone 500.
    shop = world(off(500), USUAL, prices=PRICES, left={"big": Left(total=2)})
    assert payables(quote({"kettle": 2, "lamp": 1}, shop)) == [19998, 4999]
    best = quote({"kettle": 2, "lamp": 1}, shop, strategy="best", explain=True)
    assert (payables(best), best["search"]["proved"]) == ([19000, 4999], True)
    assert choices(best, 1)["big"] == ("applied", None, 19000)
    assert choices(best, 2)["big"] == USED_UP


def test_a_choice_that_was_turned_down_may_come_back_with_the_best() -> None:
    shop = world(off(500), prices=PRICES, left={"big": Left(total=2)})
    lines = [("kettle", 2, "big"), ("lamp", 1)]
    assert list(choices(quote(lines, shop)).items()) == [("big", USED_UP)]
    best = quote(lines, shop, strategy="best")
    assert list(choices(best).items()) == [("big", ("applied", None, 19000))]

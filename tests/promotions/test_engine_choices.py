"""Given campaigns of one product, a line joins one of them, and the quote says what became of the others."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions.campaign import Campaign, read_campaign
from tests.promotions.worlds import (
    AMY,
    CURRENCY,
    DAY_MS,
    NOW_MS,
    body_of,
    broken,
    campaign,
    choices,
    code_of,
    coupon,
    payables,
    product,
    quote,
    world,
)

PRICES = {"kettle": 10000, "lamp": 5000}


def off(amount: int, **terms: Any) -> Campaign:
    """Takes an amount off each unit."""
    return campaign("item_discount", {"amount_off": amount}, **{"scope": "all", **terms})


def over(spend: int, **terms: Any) -> Campaign:
    """Takes 500 off a subtotal."""
    rule = {"mode": "tiers", "tiers": [{"spend": spend, "off": 500}]}
    return campaign("threshold_reduction", rule, **{"scope": "all", **terms})


def joined(reply: dict[str, Any]) -> list[str | None]:
    return [line["campaign"] for line in reply["lines"]]


@pytest.mark.parametrize(
    ("one", "other", "winner"),
    [
        pytest.param({"priority": 2}, {"priority": 1}, "b", id="larger priority"),
        pytest.param({"priority": -1}, {"priority": 0}, "a", id="negative priority"),
        pytest.param({"starts_at": NOW_MS}, {"starts_at": NOW_MS - 1}, "b", id="later start"),
        pytest.param({"starts_at": NOW_MS, "priority": 1}, {"priority": 2}, "a", id="priority goes before start"),
        pytest.param({}, {}, "a", id="smaller code"),
    ],
)
def test_a_line_joins_the_campaign_that_ranks_first(
    one: dict[str, Any], other: dict[str, Any], winner: str
) -> None:
    pair = [off(100, code="b", **one), off(200, code="a", **other)]
    for campaigns in (pair, pair[::-1]):
        assert joined(quote({"kettle": 1}, world(*campaigns, prices=PRICES))) == [winner]


def test_a_line_joins_whether_or_not_the_threshold_is_reached() -> None:
    shop = world(over(10001, code="first", priority=1), off(9000, code="second"), prices=PRICES)
    reply = quote({"kettle": 1}, shop, explain=True)
    assert (joined(reply), payables(reply)) == (["first"], [10000])
    assert choices(reply) == {
        "first": ("not_reached", "spend_more", 10000),
        "second": ("beaten", "lower_priority", 1000),
    }
    assert reply["groups"] == [
        {
            "campaign": "first",
            "subtotal": 10000,
            "units": 1,
            "discount": 0,
            "tier": None,
            "next": {"spend_more": 1, "then": {"discount": 500, "gifts": []}},
        }
    ]


def test_the_shopper_may_switch_to_another() -> None:
    shop = world(off(100, code="first", priority=1), off(200, code="second"), prices=PRICES)
    reply = quote([("kettle", 1, "second")], shop, explain=True)
    assert (joined(reply), payables(reply)) == (["second"], [9800])
    assert choices(reply) == {"first": ("beaten", "other_choice", 9900), "second": ("applied", None, 9800)}


def test_the_shopper_may_join_none() -> None:
    reply = quote([("kettle", 1, None)], world(off(100), prices=PRICES), explain=True)
    assert (joined(reply), payables(reply), reply["groups"]) == ([None], [10000], [])
    assert choices(reply) == {"promo": ("beaten", "other_choice", 9900)}


UNUSABLE = [
    pytest.param({"ends_at": NOW_MS}, ("not_running", "ended"), id="over"),
    pytest.param({"terminated_at": NOW_MS - 1}, ("not_running", "ended"), id="terminated"),
    pytest.param({"paused": True}, ("not_running", "paused"), id="paused"),
    pytest.param({"draft": True}, ("not_running", "draft"), id="draft"),
    pytest.param({"draft": True, "starts_at": NOW_MS + 1}, ("not_running", "draft"), id="future draft"),
    pytest.param({"starts_at": NOW_MS + 1}, ("not_running", "not_started"), id="announced"),
    pytest.param(
        {"starts_at": NOW_MS + 1, "paused": True}, ("not_running", "paused"), id="paused before it starts"
    ),
    pytest.param({"channels": ["app"]}, ("not_eligible", "channel"), id="another channel"),
    pytest.param({"audience": {"kind": "members", "levels": [9]}}, ("not_eligible", "level"), id="other levels"),
    pytest.param({"exclude": ["kettle"]}, ("excluded", "excluded_item"), id="excluded"),
    pytest.param({"scope": "items", "items": ["lamp"]}, ("excluded", "not_in_scope"), id="not its product"),
    pytest.param({"scope": "category", "categories": ["x"]}, ("excluded", "not_in_scope"), id="not its category"),
]


@pytest.mark.parametrize(("terms", "told"), UNUSABLE)
def test_an_unusable_choice_falls_back_with_the_reason(terms: dict[str, Any], told: tuple[str, str]) -> None:
    shop = world(
        off(9000, code="wanted", **terms), off(100, code="usual"), prices=PRICES, shopper=AMY, operator=True
    )
    reply = quote([("kettle", 1, "wanted")], shop)
    assert (joined(reply), payables(reply)) == (["usual"], [9900])
    assert choices(reply) == {"wanted": (*told, None), "usual": ("applied", None, 9900)}


SEEN_BY_SHOPPERS = {"not_started", "level", "excluded_item", "not_in_scope"}


@pytest.mark.parametrize(("terms", "told"), UNUSABLE)
def test_shoppers_hear_only_of_what_is_on_or_announced_in_their_channel(
    terms: dict[str, Any], told: tuple[str, str]
) -> None:
    shop = world(off(9000, code="wanted", **terms), off(100, code="usual"), prices=PRICES, shopper=AMY)
    reply = quote([("kettle", 1, "wanted")], shop)
    assert joined(reply) == ["usual"]
    if told[1] in SEEN_BY_SHOPPERS:
        assert choices(reply)["wanted"] == (*told, None)
    else:
        assert choices(reply)["wanted"] == ("not_running", "unknown_campaign", None)
        assert reply["lines"][0]["choices"][0]["label"] is None
    unpinned = quote({"kettle": 1}, shop, explain=True)
    assert ("wanted" in choices(unpinned)) == (told[1] in SEEN_BY_SHOPPERS - {"not_in_scope"})


def test_nobody_is_told_that_a_campaign_they_chose_never_was() -> None:
    shop = world(off(9000, code="over", ends_at=NOW_MS), prices=PRICES, shopper=AMY)
    told = [quote([("kettle", 1, code)], shop)["lines"][0]["choices"][0]["reason"] for code in ("over", "nowhere")]
    assert told == ["unknown_campaign: no such campaign is on"] * 2


def test_a_code_that_never_existed_falls_back_too() -> None:
    reply = quote([("kettle", 1, "nowhere")], world(off(100), prices=PRICES))
    assert choices(reply) == {
        "nowhere": ("not_running", "unknown_campaign", None),
        "promo": ("applied", None, 9900),
    }


def test_a_window_is_half_open() -> None:
    for terms, runs in (
        ({"starts_at": NOW_MS}, True),
        ({"starts_at": NOW_MS + 1}, False),
        ({"ends_at": NOW_MS}, False),
        ({"ends_at": NOW_MS + 1}, True),
    ):
        assert joined(quote({"kettle": 1}, world(off(1, **terms), prices=PRICES))) == ["promo" if runs else None]


@pytest.mark.parametrize(
    ("terms", "asked", "open_to"),
    [
        pytest.param({"channels": ["app"]}, {}, False, id="app only, web by default"),
        pytest.param({"channels": ["web"]}, {}, True, id="web by default"),
        pytest.param({"channels": []}, {"channel": "mini_program"}, True, id="all"),
        pytest.param({"channels": ["app", "store"]}, {"channel": "store"}, True, id="any store"),
        pytest.param(
            {"channels": ["store"], "stores": ["s1"]}, {"channel": "store", "store": "s1"}, True, id="this store"
        ),
        pytest.param(
            {"channels": ["store"], "stores": ["s1"]},
            {"channel": "store", "store": "s2"},
            False,
            id="another store",
        ),
        pytest.param({"channels": ["store"], "stores": ["s1"]}, {"channel": "store"}, False, id="some store"),
        pytest.param({"stores": ["s1"]}, {"channel": "web"}, True, id="stores bind only the channel store"),
    ],
)
def test_a_campaign_is_for_its_channels_and_stores(terms: dict[str, Any], asked: Any, open_to: bool) -> None:
    reply = quote({"kettle": 1}, world(off(1, **terms), prices=PRICES), **asked)
    assert joined(reply) == ["promo" if open_to else None]


def test_scopes_hold_products_listed_below_a_category_or_everywhere() -> None:
    products = [product("kettle", 10000, "kettles", "kitchen"), product("lamp", 5000, "light")]
    scopes = {
        "items": {"scope": "items", "items": ["kettle"]},
        "category": {"scope": "category", "categories": ["kitchen", "kettles"]},
        "all": {"scope": "all", "exclude": ["lamp"]},
    }
    for code, terms in scopes.items():
        reply = quote({"kettle": 1, "lamp": 1}, world(off(1, code=code, **terms), products=products))
        assert joined(reply) == [code, None]


def test_what_would_not_lower_the_price_is_left_out() -> None:
    for amount, told in ((10000, "applied"), (10001, "excluded")):
        reply = quote({"kettle": 1}, world(off(amount), prices=PRICES), explain=True)
        assert choices(reply)["promo"][0] == told
    assert choices(reply)["promo"] == ("excluded", "not_below_base", None)


OWN = {"presale": {"deposit": 100, "balance_starts_at": NOW_MS + DAY_MS, "balance_ends_at": NOW_MS + 2 * DAY_MS}}
OWN["group_buy"] = {"price": 9000, "size": 2}


@pytest.mark.parametrize("type_name", sorted(OWN))
def test_own_button_campaigns_are_joined_only_by_choice_and_alone(type_name: str) -> None:
    own = campaign(type_name, OWN[type_name], code="own", priority=9)
    shop = world(own, off(100, code="usual"), prices=PRICES)
    reply = quote({"kettle": 1}, shop, explain=True)
    assert (joined(reply), choices(reply)["own"]) == (["usual"], ("own_button", "own_button", None))
    assert joined(quote([("kettle", 1, "own")], shop)) == ["own"]
    reply = quote([("kettle", 1, "own"), ("lamp", 1)], shop)
    assert (joined(reply), choices(reply)["own"]) == (["usual", "usual"], ("own_button", "stands_alone", None))
    beside = [("kettle", 1, "own"), {"sku": "lamp", "quantity": 1, "selected": False}, ("ghost", 1)]
    assert joined(quote(beside, shop))[0] == "own"


def test_a_seckill_is_quoted_as_its_own_button() -> None:
    flash = campaign("seckill", {"price": 1}, code="flash", items=[{"sku": "kettle", "stock": 1}])
    shop = world(flash, off(100, code="usual"), prices=PRICES)
    for lines in ({"kettle": 1}, [("kettle", 1, "flash")]):
        reply = quote(lines, shop, explain=True)
        assert (joined(reply), choices(reply)["flash"][:2]) == (["usual"], ("own_button", "own_button"))


def test_a_group_buy_sells_a_shopper_no_more_than_its_limit() -> None:
    own = campaign("group_buy", {"price": 9000, "limit_per_shopper": 2}, code="own")
    reply = quote([("kettle", 3, "own")], world(own, prices=PRICES))
    assert (joined(reply), choices(reply)["own"]) == ([None], ("exhausted", "limit_per_shopper", None))


def test_lines_that_are_not_selected_count_for_nothing() -> None:
    shop = world(over(15000), prices=PRICES)
    assert quote({"kettle": 1, "lamp": 1}, shop)["discount"] == 500
    lines = [{"sku": "kettle", "quantity": 1, "campaign": "promo", "selected": False}, ("lamp", 1)]
    reply = quote(lines, shop, explain=True)
    first = reply["lines"][0]
    assert (first["state"], first["campaign"], first["payable"], first["unit_payables"]) == (
        "unselected",
        "promo",
        0,
        [],
    )
    assert choices(reply) == {"promo": ("beaten", "unselected", None)}
    assert (reply["subtotal"], reply["total"], reply["groups"][0]["subtotal"]) == (5000, 5000, 5000)


@pytest.mark.parametrize(
    ("fact", "state", "payable"),
    [
        pytest.param({}, "ok", 30000, id="enough"),
        pytest.param({"free": 3}, "ok", 30000, id="just enough"),
        pytest.param({"free": 2}, "short_stock", 30000, id="too little"),
        pytest.param({"on_sale": False}, "unavailable", 0, id="off sale"),
        pytest.param({"gift_only": True}, "unavailable", 0, id="only a gift"),
        pytest.param({"unknown": True}, "unavailable", 0, id="unknown"),
        pytest.param({"free": 2, "selected": False}, "unselected", 0, id="not selected"),
        pytest.param({"unknown": True, "selected": False}, "unselected", 0, id="unknown and not selected"),
    ],
)
def test_each_line_has_a_state(fact: dict[str, Any], state: str, payable: int) -> None:
    facts = {name: fact[name] for name in ("on_sale", "gift_only") if name in fact}
    products = [] if "unknown" in fact else [product("kettle", 10000, **facts)]
    shop = world(products=products, free={"kettle": fact["free"]} if "free" in fact else {})
    line = {"sku": "kettle", "quantity": 3, "selected": fact.get("selected", True)}
    reply = quote([line], shop)
    assert (reply["lines"][0]["state"], reply["total"]) == (state, payable)
    assert reply["lines"][0]["unit_price"] == (0 if "unknown" in fact else 10000)


def test_choices_are_told_in_full_only_when_asked_for() -> None:
    campaigns = [off(100, code="first", priority=1), off(200, code="second")]
    shop = world(*campaigns, prices=PRICES)
    assert list(choices(quote({"kettle": 1}, shop))) == ["first"]
    assert list(choices(quote([("kettle", 1, None)], shop))) == []
    assert list(choices(quote({"kettle": 1}, shop, explain=True))) == ["first", "second"]


def test_choices_carry_type_and_label_in_the_readers_language() -> None:
    typed = off(100, code="typed", priority=1, label="Tea time", texts={"zh-Hant": {"label": "午茶"}})
    made = over(5000, code="made")
    for language, labels in (("en", ["Tea time", "5 off over 50"]), ("zh-Hant", ["午茶", "滿 50 減 5"])):
        reply = quote({"lamp": 1}, world(typed, made, prices=PRICES, language=language), explain=True)
        told = reply["lines"][0]["choices"]
        assert [each["label"] for each in told] == labels
        assert [each["type"] for each in told] == ["item_discount", "threshold_reduction"]


ODD = [
    {"type": "lottery"},
    {"type": ["item_discount"]},
    {"rule": None},
    {"rule": {"percent_off": 200}},
    {"rule": {"unknown_field": 1}},
    {"items": 7},
    {"items": [7, {"sku": 8}, {"sku": "kettle", "surprise": 1}]},
    {"scope": "planet"},
    {"scope": "category", "categories": [{"id": 1}]},
    {"scope": "category", "categories": 5},
    {"audience": {"kind": "nobody"}},
    {"exclude": [None]},
    {"limits": {"total": -1}},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_stored_campaign_that_cannot_be_read_never_breaks_a_cart(odd: dict[str, Any]) -> None:
    body = {**body_of("item_discount", {"percent_off": 10}, priority=9), **odd}
    stored = read_campaign("odd", body, CURRENCY)
    assert stored.broken is not None
    shop = world(stored, off(100, code="usual"), prices=PRICES)
    reply = quote([("kettle", 1, "odd"), ("lamp", 1)], shop, explain=True)
    assert joined(reply) == ["usual", "usual"]


def test_an_operator_who_chooses_what_cannot_be_read_is_told_so() -> None:
    for terms in ({"scope": "all"}, {"items": ["lamp"]}):
        shop = world(broken("odd", **terms), off(100), prices=PRICES, operator=True)
        reply = quote([("kettle", 1, "odd")], shop)
        assert choices(reply) == {"odd": ("error", "unreadable", None), "promo": ("applied", None, 9900)}


def test_operators_see_what_cannot_be_read_as_an_error() -> None:
    for operator, told in ((True, ("error", "unreadable", None)), (False, None)):
        shop = world(broken("odd", scope="all"), off(100), prices=PRICES, operator=operator)
        reply = quote({"kettle": 1}, shop, explain=True)
        assert (joined(reply), choices(reply).get("odd")) == (["promo"], told)


def test_a_choice_is_priced_as_if_that_line_alone_took_it() -> None:
    # Both lines share 500 off now. Whichever leaves is reduced by 100, and then the other one pays in full.
    shop = world(over(15000, code="both", priority=1), off(100, code="each"), prices=PRICES)
    reply = quote({"kettle": 1, "lamp": 1}, shop, explain=True)
    assert payables(reply) == [9667, 4833]
    assert choices(reply, 1)["each"] == ("beaten", "lower_priority", 9900)
    assert choices(reply, 2)["each"] == ("beaten", "lower_priority", 4900)


def test_a_choice_is_priced_with_the_coupon_on_what_all_lines_cost_then() -> None:
    # With the kettle elsewhere the lamp costs 5000 again: of 1000 off 14900 the kettle bears 664.43.
    campaigns = [over(15000, code="both", priority=1), off(100, code="each")]
    reply = quote(
        {"kettle": 1, "lamp": 1},
        world(*campaigns, prices=PRICES, coupon=coupon(amount_off=1000)),
        explain=True,
        coupon="SAVE",
    )
    assert choices(reply)["each"] == ("beaten", "lower_priority", 9900 - 664)


def test_a_choice_counts_the_lines_that_joined_it_already() -> None:
    shop = world(over(15000, code="both"), off(100, code="each", priority=1, exclude=["lamp"]), prices=PRICES)
    reply = quote({"kettle": 1, "lamp": 1}, shop, explain=True)
    assert joined(reply) == ["each", "both"]
    # 500 off 15000 for both: 333.33 for the kettle.
    assert choices(reply, 1)["both"] == ("beaten", "lower_priority", 9667)


def test_lines_add_ons_and_gifts_are_numbered_through() -> None:
    gift = campaign("item_gift", {"gifts": [{"sku": "mug"}, {"sku": "pen"}]}, code="g")
    options = {"tiers": [{"spend": 1, "options": [{"sku": "pen", "price": 1}]}]}
    plus = campaign("add_on", options, code="p", items=["lamp"])
    shop = world(gift, plus, prices={**PRICES, "mug": 500, "pen": 100})
    reply = quote({"kettle": 1, "lamp": 1, "ghost": 1}, shop, add_ons=[{"campaign": "p", "sku": "pen"}])
    numbers = {name: [each["line"] for each in reply[name]] for name in ("lines", "add_ons", "gifts")}
    assert numbers == {"lines": [1, 2, 3], "add_ons": [4], "gifts": [5, 6]}


def test_reasons_are_told_in_the_readers_language() -> None:
    for language, sentence in (
        ("en", "kettles goes first"),
        ("zh-Hant", "以 kettles 優先"),
        ("fr", "kettles goes first"),
    ):
        shop = world(off(1, code="kettles", priority=1), off(2, code="other"), prices=PRICES, language=language)
        told = quote({"kettle": 1}, shop, explain=True)["lines"][0]["choices"][1]["reason"]
        assert (code_of(told), told.split(": ", 1)[1]) == ("lower_priority", sentence)

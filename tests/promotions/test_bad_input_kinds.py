"""Given values of the wrong kind or size in gifts, add-ons, pre-sales, group buys or seckills, each is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.promotions.bodies import check

MONEY = ("not_an_integer", "too_large", "too_small")
AMOUNT = (*MONEY, "not 0")
COUNT = AMOUNT
KINDS: list[tuple[str, str, tuple[str, ...]]] = [
    ("item_gift", "rule.gifts.0.quantity", COUNT),
    ("item_gift", "rule.per", COUNT),
    ("item_gift", "rule.max", COUNT),
    ("threshold_gift", "rule.tiers.0.at", COUNT),
    ("threshold_gift", "rule.tiers.1.gifts.1.quantity", COUNT),
    ("threshold_gift", "rule.tiers.1.choose", COUNT),
    ("threshold_gift", "rule.max", COUNT),
    ("add_on", "rule.tiers.0.spend", MONEY),
    ("add_on", "rule.tiers.0.options.0.price", MONEY),
    ("add_on", "rule.tiers.1.options.0.limit", COUNT),
    ("presale", "rule.price", AMOUNT),
    ("presale", "rule.deposit", AMOUNT),
    ("presale", "items.0.price", AMOUNT),
    ("presale", "items.0.deposit", AMOUNT),
    ("group_buy", "rule.price", MONEY),
    ("group_buy", "rule.size", COUNT),
    ("group_buy", "rule.hours", COUNT),
    ("group_buy", "rule.limit_per_shopper", COUNT),
    ("group_buy", "items.0.price", MONEY),
    ("seckill", "rule.price", MONEY),
    ("seckill", "rule.limit_per_shopper", COUNT),
    ("seckill", "rule.pay_within_s", COUNT),
    ("seckill", "items.0.stock", MONEY),
    ("seckill", "items.0.price", MONEY),
]


@pytest.mark.parametrize(("type_name", "path", "codes"), KINDS)
def test_whole_numbers(type_name: str, path: str, codes: tuple[str, ...]) -> None:
    wrong_kind, too_large, too_small, *from_one = codes
    for value in (True, 1.0, 1.5, "1", [], {}):
        check(type_name, {path: value}, {path: wrong_kind})
    check(type_name, {path: 10**13}, {path: too_large})
    check(type_name, {path: -1}, {path: too_small})
    if from_one:
        check(type_name, {path: 0}, {path: too_small})


@pytest.mark.parametrize(
    ("type_name", "path", "values", "code"),
    [
        ("item_gift", "rule.gifts", (True, 1, "mug", {}), "not_a_list"),
        ("item_gift", "rule.gifts.0.sku", (True, 1, 1.0, [], {}), "not_a_text"),
        ("item_gift", "rule.gifts.0.sku", ("", "a b", "王", "-mug"), "bad_form"),
        ("item_gift", "rule.gifts.0.quantity", (1000,), "too_large"),
        ("item_gift", "rule.gifts.0.quantity", (None,), "not_an_integer"),
        ("item_gift", "rule.gifts.0.same_item", (True,), "unknown_field"),
        ("item_gift", "rule.gifts", ([{"sku": "mug"}] * 21,), "too_many"),
        ("threshold_gift", "rule.by", (True, 1, "units", []), "not_one_of"),
        ("threshold_gift", "rule.mode", (None, True, "all"), "not_one_of"),
        ("threshold_gift", "rule.tiers", (True, 1, "all", {}), "not_a_list"),
        ("threshold_gift", "rule.tiers", ([{"at": 1}] * 21,), "too_many"),
        ("threshold_gift", "rule.tiers.1.gifts.0.same_item", (1, "true", None, 1.0), "not_a_boolean"),
        ("threshold_gift", "rule.tiers.1.spend", (1,), "unknown_field"),
        ("add_on", "rule.tiers", (True, 1, "all", {}), "not_a_list"),
        ("add_on", "rule.tiers", ([{"spend": 1}] * 21,), "too_many"),
        ("add_on", "rule.tiers.0.options", ([{"sku": "mug"}] * 51,), "too_many"),
        ("add_on", "rule.tiers.0.options.0.limit", (1000,), "too_large"),
        ("add_on", "rule.tiers.0.at", (1,), "unknown_field"),
        ("presale", "items.0.deposit_percent", (True, "10", [], {}), "not_a_number"),
        (
            "presale",
            "items.0.deposit_percent",
            (10.005, 33.333, 0.001, float("nan"), float("inf")),
            "too_many_decimals",
        ),
        ("presale", "items.0.deposit_percent", (0, -1, 100, 100.01, 10**13), "not_a_percent"),
        ("presale", "rule.multiplier", (True, "3", []), "not_a_number"),
        ("presale", "rule.multiplier", (1.005, 2.999), "too_many_decimals"),
        ("presale", "rule.multiplier", (0, -3, 0.99, 1000.01, 10**13), "bad_multiplier"),
        ("presale", "rule.mode", (None, 1, "both"), "not_one_of"),
        ("presale", "rule.on_unpaid", (None, True, "keep"), "not_one_of"),
        (
            "presale",
            "rule.ships_at",
            (True, 1.5, "1", "tomorrow", "2036-02-30T00:00:00Z", 0, -1, 10**13),
            "bad_instant",
        ),
        ("presale", "rule.balance_starts_at", (True, "2036-11-21T00:00:00", 10**13), "bad_instant"),
        ("presale", "rule.balance_ends_at", (True, [], 10**13), "bad_instant"),
        ("group_buy", "rule.virtual_fill", (1, "true", None, 1.0), "not_a_boolean"),
        ("group_buy", "rule.size", (None,), "not_an_integer"),
        ("group_buy", "items.0.stock", (1,), "unknown_field"),
        ("seckill", "rule.limit_per_shopper", (None, 1.0), "not_an_integer"),
        ("seckill", "items.0.limit_per_shopper", (1,), "unknown_field"),
        ("seckill", "rule.session", (True, 1, "noon", []), "not_an_object"),
    ],
)
def test_other_wrong_values(type_name: str, path: str, values: tuple[Any, ...], code: str) -> None:
    for value in values:
        check(type_name, {path: value}, {path: code})


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({}, {"id": "missing", "date": "missing"}),
        ({"id": "noon", "date": "2026-11-21", "hour": 12}, {"hour": "unknown_field"}),
        ({"id": "n" * 41, "date": "2026-11-21"}, {"id": "too_long"}),
        ({"id": "Noon", "date": 20261121}, {"id": "bad_form", "date": "not_a_text"}),
        ({"id": "noon", "date": "2026-02-30"}, {"date": "bad_date"}),
        ({"id": "noon", "date": "1999-12-31"}, {"date": "bad_date"}),
        ({"id": "noon", "date": "2026-1-1"}, {"date": "bad_form"}),
        ({"id": "noon", "date": "2026-11-21T12:00"}, {"date": "bad_form"}),
        ({"id": "noon", "date": None}, {"date": "not_a_text"}),
    ],
)
def test_sessions(session: dict[str, Any], expected: dict[str, str]) -> None:
    check("seckill", {"rule.session": session}, {f"rule.session.{name}": code for name, code in expected.items()})

"""Given a discount or a bundle that breaks rules, every problem is told with field, code and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from admin.promotions.model import ProductFacts
from tests.promotions.discounts import DISCOUNTS, GOOD, HUGE, TELLS, Expected, bundle, check, every, percents, tiers
from tests.promotions.judging import PRODUCTS, told
from tests.promotions.worlds import DAY_MS, NOW_MS


def at_price(price: int) -> ProductFacts:
    return replace(PRODUCTS["kettle"], price=price)


OFF_SALE = replace(PRODUCTS["cup"], price=1, on_sale=False)


@pytest.mark.parametrize("type_name", DISCOUNTS)
def test_good_ones_are_told_nothing(type_name: str) -> None:
    check(type_name, {}, {})


@pytest.mark.parametrize("type_name", DISCOUNTS)
@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"name": None}, {"name": "missing"}),
        ({"name": ""}, {"name": "too_short"}),
        ({"name": 7}, {"name": "not_a_text"}),
        ({"label": "滿" * 13}, {"label": "too_wide"}),
        ({"starts_at": None, "ends_at": None}, {"starts_at": "missing", "ends_at": "missing"}),
        ({"ends_at": NOW_MS}, {"ends_at": "not_after_start"}),
        ({"starts_at": NOW_MS + DAY_MS, "ends_at": NOW_MS}, {"ends_at": "not_after_start"}),
        ({"starts_at": 1, "ends_at": 2}, {"ends_at": "in_the_past"}),
        ({"starts_at": "2026-02-30T12:00:00Z"}, {"starts_at": "bad_instant"}),
        ({"priority": True}, {"priority": "not_an_integer"}),
        ({"priority": HUGE}, {"priority": "too_large"}),
        ({"colour": "red"}, {"colour": "unknown_field"}),
        ({"channels": ["web", "web"]}, {"channels": "repeated"}),
        ({"channels": ["web"], "stores": ["s1"]}, {"stores": "needs_channel_store"}),
        ({"audience": {"kind": "everyone", "levels": [1]}}, {"audience.levels": "needs_members"}),
        (
            {"limits": {"total": 0, "per_shopper": -1}},
            {"limits.total": "too_small", "limits.per_shopper": "too_small"},
        ),
        ({"limits": {"budget": HUGE}}, {"limits.budget": "too_large"}),
        ({"categories": ["kitchen"]}, {"categories": "not_in_scope"}),
        ({"items": [{"sku": "kettle", "stock": 5}]}, {"items.0.stock": "unknown_field"}),
        ({"items": [{"sku": f"s{number}"} for number in range(10_000)]}, {"items": "too_many"}),
        ({"items": None}, {"items": "not_a_list"}),
        ({"items": {"sku": "kettle"}}, {"items": "not_a_list"}),
        ({"items": ["kettle"]}, {"items.0": "not_an_object"}),
        ({"items": [{}]}, {"items.0.sku": "missing"}),
        ({"items": [{"sku": "no such"}]}, {"items.0.sku": "bad_form"}),
        ({"items": [{"sku": 7}]}, {"items.0.sku": "not_a_text"}),
    ],
)
def test_what_all_have(type_name: str, about: dict[str, Any], expected: Expected) -> None:
    if type_name == "bundle" and expected == {"items.0.stock": "unknown_field"}:
        expected = {**expected, "items": "not_the_components"}
    check(type_name, about, expected)


@pytest.mark.parametrize("type_name", [name for name in DISCOUNTS if name != "bundle"])
@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"items": []}, {"items": "missing"}),
        ({"items": [{"sku": "none"}]}, {"items.0.sku": "unknown_sku"}),
        ({"items": [{"sku": "mug"}]}, {"items.0.sku": "gift_only"}),
        ({"items": [{"sku": "relic"}]}, {"items.0.sku": "not_on_sale"}),
        ({"items": [{"sku": "cup"}, {"sku": "lamp"}, {"sku": "cup"}]}, {"items.2.sku": "duplicate_sku"}),
        ({"scope": "all"}, {"items": "not_in_scope"}),
        ({"scope": "category", "items": []}, {"categories": "missing"}),
        ({"scope": "category", "items": [], "categories": ["attic"]}, {"categories.0": "unknown_category"}),
        ({"scope": "shop"}, {"scope": "not_one_of"}),
    ],
)
def test_what_may_be_listed(type_name: str, about: dict[str, Any], expected: Expected) -> None:
    check(type_name, about, expected)


@pytest.mark.parametrize("given", [None, [], "tiers", 1, True], ids=repr)
@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("item_discount", {}),
        ("threshold_reduction", {"rule.mode": "missing"}),
        ("threshold_discount", {"rule.by": "missing", "rule.tiers": "missing"}),
        ("bundle", {"rule.price": "missing", "rule.components": "missing"}),
    ],
)
def test_a_rule_that_is_no_object(type_name: str, given: Any, expected: Expected) -> None:
    check(type_name, {"rule": given}, {"rule": "not_an_object", **expected})


@pytest.mark.parametrize("type_name", DISCOUNTS)
@pytest.mark.parametrize(
    "gone", [{}, {"kettle": at_price(1), "cup": at_price(1)}, {"kettle": at_price(1), "cup": OFF_SALE}]
)
def test_what_is_published_already_is_not_judged_by_new_prices(type_name: str, gone: dict[str, Any]) -> None:
    about = {**GOOD[type_name], **({"rule": {"price": 6000}} if type_name == "item_discount" else {})}
    assert told(type_name, about, products=gone, kept=("kettle", "cup")) == []
    assert bool(told(type_name, about, products=gone)) == (type_name in {"item_discount", "bundle"} or not gone)


def _wrong_kinds() -> Iterator[Any]:
    amounts = {
        "item_discount": ("amount_off", "price"),
        "threshold_reduction": ("spend", "off", "cap"),
        "bundle": ("price",),
    }
    for type_name, names in amounts.items():
        for name in names:
            for value in (True, 1.0, "1", [], {}):
                yield pytest.param(
                    type_name, f"rule.{name}", value, "not_an_integer", id=f"{type_name} {name} {value!r}"
                )
    lists = (
        ("threshold_reduction", "rule.tiers.0.spend", "not_an_integer"),
        ("threshold_discount", "rule.tiers.0.at", "not_an_integer"),
        ("threshold_discount", "rule.tiers.0.percent_off", "not_a_number"),
        ("bundle", "rule.components.0.quantity", "not_an_integer"),
        ("bundle", "rule.components.0.sku", "not_a_text"),
        ("item_discount", "rule.percent_off", "not_a_number"),
    )
    for type_name, path, code in lists:
        for value in (True, [], {}, *(("1", "15") if code != "not_a_text" else (1, 1.5))):
            yield pytest.param(type_name, path, value, code, id=f"{type_name} {path} {value!r}")


@pytest.mark.parametrize(("type_name", "path", "value", "code"), [*_wrong_kinds()])
def test_kinds_are_not_guessed(type_name: str, path: str, value: Any, code: str) -> None:
    name = path.rsplit(".", 1)[-1]
    step = {name: value}
    rules = {
        "item_discount": step,
        "threshold_reduction": {"mode": "tiers", "tiers": [step]}
        if ".tiers" in path
        else {"mode": "every", **step},
        "threshold_discount": {"by": "count", "tiers": [step]},
        "bundle": {"components": [step]} if ".components" in path else step,
    }
    errors = told(type_name, {"rule": rules[type_name]})
    found = {error.field: error for error in errors}
    assert found[path].code == code
    assert TELLS.search(found[path].message), found[path]
    assert all(error.code == "missing" for field, error in found.items() if field != path)


@pytest.mark.parametrize(
    ("type_name", "rule", "sentence"),
    [
        (
            "item_discount",
            {"amount_off": 13000},
            "kettle would cost -100; want at least 0 and less than its base price 12900",
        ),
        ("item_discount", {}, "give one of percent_off, amount_off, price"),
        ("item_discount", {"price": 5, "amount_off": 1}, "give only one of amount_off, price"),
        ("threshold_reduction", {}, 'choose "tiers" or "every"'),
        ("threshold_reduction", tiers((1000, 1001)), "want at most spend, 1000"),
        ("threshold_reduction", tiers((1000, 5), (1000, 6)), "must be more than in the tier before it"),
        ("threshold_reduction", every(1000, 100, cap=99), "want at least what one step takes off, 100"),
        (
            "threshold_reduction",
            every(1000, 100, tiers=[{}]),
            'leave tiers out, or choose "mode": "tiers" instead of "every"',
        ),
        (
            "threshold_reduction",
            {**tiers((1000, 100)), "spend": 5},
            'write spend into a tier, or choose "mode": "every"',
        ),
        ("threshold_reduction", {**tiers((1000, 100)), "cap": 5}, 'leave cap out: only "mode": "every" has one'),
        ("threshold_discount", {"tiers": [{"at": 1, "percent_off": 5}]}, 'choose "amount" or "count"'),
        ("threshold_discount", percents("count", (10_001, 5)), "want at most 10000, what a cart can hold"),
        ("threshold_discount", percents("count", (2, 0.001)), "at most two decimals, such as 12.5 or 33.33"),
        (
            "threshold_discount",
            percents("count", (2, 100)),
            "want more than 0 and less than 100: 15 takes 15 % off",
        ),
        ("bundle", bundle(25801, ("kettle", 2)), "the parts cost 25800 one by one: want at most that"),
        ("bundle", bundle(1, ("kettle", 1)), "one unit alone is no set: add a product, or raise the quantity"),
        (
            "bundle",
            bundle(1, ("kettle", 1), ("kettle", 1)),
            "kettle is in the set already: name it once, with the quantity of all",
        ),
        (
            "bundle",
            bundle(1, ("kettle", 1), ("lamp", 1)),
            "list exactly the products of the set, or none: then they are taken from it",
        ),
        (
            "bundle",
            bundle(1, ("none", 2), ("kettle", 1)),
            "there is no product none: create it first or correct the SKU",
        ),
    ],
)
def test_sentences_tell_what_to_do(type_name: str, rule: dict[str, Any], sentence: str) -> None:
    assert sentence in [error.message for error in told(type_name, {"rule": rule})]

"""Given a discount or a bundle that breaks rules, every problem is told with field, code and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from admin.promotions.model import ProductFacts
from tests.promotions.judging import PRODUCTS, codes, told
from tests.promotions.worlds import DAY_MS, NOW_MS

PAIR = [{"sku": "kettle", "quantity": 1}, {"sku": "cup", "quantity": 2}]
GOOD: dict[str, dict[str, Any]] = {
    "item_discount": {"rule": {"percent_off": 15}},
    "threshold_reduction": {"rule": {"mode": "tiers", "tiers": [{"spend": 10000, "off": 1000}]}},
    "threshold_discount": {"rule": {"by": "count", "tiers": [{"at": 2, "percent_off": 30}]}},
    "bundle": {"rule": {"price": 13000, "components": PAIR}, "items": [{"sku": "kettle"}, {"sku": "cup"}]},
}
TYPES = sorted(GOOD)
HUGE = 10**13
TELLS = re.compile(
    r"want|must|should|at most|at least|give only|give one|need|required|name (it|each|categories)|list|leave|"
    r"choose|write|create it|add |no such|not permitted|only given|not on sale|there is no"
)
"""What a sentence has that says what would be right."""

Expected = dict[str, str]


def at_price(price: int) -> ProductFacts:
    return replace(PRODUCTS["kettle"], price=price)


OFF_SALE = replace(PRODUCTS["cup"], price=1, on_sale=False)


def check(type_name: str, about: dict[str, Any], expected: Expected) -> None:
    errors = told(type_name, {**GOOD[type_name], **about})
    assert codes(errors) == sorted(expected.items())
    for error in errors:
        assert TELLS.search(error.message), error


def tiers(*steps: tuple[Any, Any]) -> dict[str, Any]:
    return {"mode": "tiers", "tiers": [{"spend": spend, "off": off} for spend, off in steps]}


def percents(by: str, *steps: tuple[Any, Any]) -> dict[str, Any]:
    return {"by": by, "tiers": [{"at": at, "percent_off": percent_off} for at, percent_off in steps]}


def every(spend: Any, off: Any, **more: Any) -> dict[str, Any]:
    return {"mode": "every", "spend": spend, "off": off, **more}


def bundle(price: Any, *components: tuple[Any, Any]) -> dict[str, Any]:
    parts = [{"sku": sku, "quantity": quantity} for sku, quantity in components]
    return {"price": price, "components": parts}


@pytest.mark.parametrize("type_name", TYPES)
def test_good_ones_are_told_nothing(type_name: str) -> None:
    check(type_name, {}, {})


@pytest.mark.parametrize("type_name", TYPES)
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


@pytest.mark.parametrize("type_name", [name for name in TYPES if name != "bundle"])
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


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"rule": {}}, {"rule": "missing"}),
        ({"rule": {"percent_off": None, "amount_off": None, "price": None}}, {"rule": "missing"}),
        ({"rule": {}, "items": [{"sku": "kettle", "price": 100}, {"sku": "lamp"}]}, {"rule": "missing"}),
        ({"rule": {}, "scope": "all", "items": []}, {"rule": "missing"}),
        ({"rule": {"amount_off": 0}}, {"rule.amount_off": "too_small"}),
        ({"rule": {"percent_off": 0}}, {"rule.percent_off": "not_a_percent"}),
        ({"rule": {"percent_off": 33.333}}, {"rule.percent_off": "too_many_decimals"}),
        ({"rule": {"price": HUGE}}, {"rule.price": "too_large"}),
        ({"rule": {"price": -1, "percent_off": 10}}, {"rule.price": "too_small"}),
        (
            {"rule": {}, "items": [{"sku": "kettle", "price": -1}]},
            {"items.0.price": "too_small", "rule": "missing"},
        ),
        ({"rule": {"percent_off": 15, "price": 100}}, {"rule.price": "one_way_only"}),
        (
            {"rule": {"percent_off": 15, "amount_off": 1, "price": 100}},
            {"rule.amount_off": "one_way_only", "rule.price": "one_way_only"},
        ),
        ({"rule": {"percent_off": 15, "off": 5}}, {"rule.off": "unknown_field"}),
        ({"rule": {"amount_off": 12901}}, {"rule.amount_off": "not_below_base"}),
        ({"rule": {"price": 12900}}, {"rule.price": "not_below_base"}),
        ({"rule": {"percent_off": 0.01}, "items": [{"sku": "cup"}]}, {"rule.percent_off": "not_below_base"}),
        ({"items": [{"sku": "kettle", "price": 12900}]}, {"items.0.price": "not_below_base"}),
        ({"items": [{"sku": "kettle", "amount_off": 99999}]}, {"items.0.amount_off": "not_below_base"}),
        (
            {"items": [{"sku": "kettle", "amount_off": 100, "price": 100}]},
            {"items.0.price": "one_way_only"},
        ),
        ({"items": [{"sku": "kettle", "amount_off": 0}]}, {"items.0.amount_off": "too_small"}),
        ({"items": [{"sku": "kettle", "price": -1}]}, {"items.0.price": "too_small"}),
        ({"items": [{"sku": "kettle", "price": HUGE}]}, {"items.0.price": "too_large"}),
        ({"items": [{"sku": "kettle", "percent_off": 12.345}]}, {"items.0.percent_off": "too_many_decimals"}),
        ({"items": [{"sku": "kettle", "percent_off": 100}]}, {"items.0.percent_off": "not_a_percent"}),
        (
            {"rule": {"price": 6000}, "items": [{"sku": "kettle"}, {"sku": "lamp"}, {"sku": "none"}], "name": None},
            {"rule.price": "not_below_base", "items.2.sku": "unknown_sku", "name": "missing"},
        ),
    ],
)
def test_item_discount(about: dict[str, Any], expected: Expected) -> None:
    check("item_discount", about, expected)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, {"rule.mode": "missing"}),
        ({"mode": "ladder", "tiers": []}, {"rule.mode": "not_one_of"}),
        ({"mode": True}, {"rule.mode": "not_one_of"}),
        ({"mode": "tiers"}, {"rule.tiers": "missing"}),
        ({"mode": "tiers", "tiers": None}, {"rule.tiers": "not_a_list"}),
        ({"mode": "tiers", "tiers": {}}, {"rule.tiers": "not_a_list"}),
        (tiers(*((100 * step, step) for step in range(1, 22))), {"rule.tiers": "too_many"}),
        ({"mode": "tiers", "tiers": [{}]}, {"rule.tiers.0.spend": "missing", "rule.tiers.0.off": "missing"}),
        (
            {"mode": "tiers", "tiers": [None]},
            {"rule.tiers.0": "not_an_object", "rule.tiers.0.spend": "missing", "rule.tiers.0.off": "missing"},
        ),
        (
            {"mode": "tiers", "tiers": [{"spend": 10, "off": 1, "percent_off": 5}]},
            {"rule.tiers.0.percent_off": "unknown_field"},
        ),
        (tiers((1000, 1001)), {"rule.tiers.0.off": "too_large"}),
        (tiers((1000, 1000)), {}),
        (tiers((0, 1)), {"rule.tiers.0.spend": "too_small"}),
        (tiers((-1, -1)), {"rule.tiers.0.spend": "too_small", "rule.tiers.0.off": "too_small"}),
        (tiers((HUGE, HUGE)), {"rule.tiers.0.spend": "too_large", "rule.tiers.0.off": "too_large"}),
        (tiers((1000, 100), (2000, 100)), {"rule.tiers.1.off": "tier_not_increasing"}),
        (tiers((1000, 100), (1000, 200)), {"rule.tiers.1.spend": "tier_not_increasing"}),
        (
            tiers((3000, 300), (2000, 200), (2500, 2600)),
            {
                "rule.tiers.1.spend": "tier_not_increasing",
                "rule.tiers.1.off": "tier_not_increasing",
                "rule.tiers.2.off": "too_large",
            },
        ),
        (
            tiers((1000, 100), (None, 200), (900, 300)),
            {
                "rule.tiers.1.spend": "missing",
                "rule.tiers.2.spend": "tier_not_increasing",
            },
        ),
        (
            {**tiers((1000, 100)), "spend": 1, "off": 1, "cap": 1},
            {"rule.spend": "not_for_mode", "rule.off": "not_for_mode", "rule.cap": "not_for_mode"},
        ),
        ({**tiers((1000, 100)), "spend": None, "off": None, "cap": None}, {}),
        ({"mode": "every"}, {"rule.spend": "missing", "rule.off": "missing"}),
        (every(1000, 1001), {"rule.off": "too_large"}),
        (every(1000, 1000), {}),
        (every(0, 0), {"rule.spend": "too_small", "rule.off": "too_small"}),
        (every(-5, -5, cap=-5), {"rule.spend": "too_small", "rule.off": "too_small", "rule.cap": "too_small"}),
        (every(1000, 100, cap=0), {"rule.cap": "too_small"}),
        (every(1000, 100, cap=99), {"rule.cap": "too_small"}),
        (every(1000, 100, cap=100), {}),
        (every(1000, 100, cap=HUGE), {"rule.cap": "too_large"}),
        (every(1000, 100, tiers=[]), {}),
        (every(1000, 100, tiers=[{"spend": 1, "off": 1}]), {"rule.tiers": "not_for_mode"}),
        (every(1000, 100, max=5), {"rule.max": "unknown_field"}),
        (
            every(None, 100, cap=50, tiers=[{"spend": 1}], colour=1),
            {
                "rule.spend": "missing",
                "rule.cap": "too_small",
                "rule.tiers": "not_for_mode",
                "rule.colour": "unknown_field",
            },
        ),
    ],
)
def test_threshold_reduction(rule: dict[str, Any], expected: Expected) -> None:
    check("threshold_reduction", {"rule": rule}, expected)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, {"rule.by": "missing", "rule.tiers": "missing"}),
        ({"by": "weight", "tiers": [{"at": 1, "percent_off": 5}]}, {"rule.by": "not_one_of"}),
        ({"by": "count", "tiers": []}, {"rule.tiers": "missing"}),
        ({"by": "count", "tiers": "2"}, {"rule.tiers": "not_a_list"}),
        ({"by": "count", "tiers": [{}]}, {"rule.tiers.0.at": "missing", "rule.tiers.0.percent_off": "missing"}),
        ({**percents("count", (2, 30)), "mode": "best"}, {"rule.mode": "unknown_field"}),
        (
            {"by": "count", "tiers": [{"at": 2, "percent_off": 30, "off": 5}]},
            {"rule.tiers.0.off": "unknown_field"},
        ),
        (percents("amount", *((step, step) for step in range(1, 22))), {"rule.tiers": "too_many"}),
        (percents("count", (0, 30)), {"rule.tiers.0.at": "too_small"}),
        (
            percents("count", (-2, -30)),
            {"rule.tiers.0.at": "too_small", "rule.tiers.0.percent_off": "not_a_percent"},
        ),
        (percents("count", (10_001, 30)), {"rule.tiers.0.at": "too_large"}),
        (percents("count", (10_000, 30)), {}),
        (percents("amount", (10_001, 30)), {}),
        (
            percents("amount", (HUGE, HUGE)),
            {"rule.tiers.0.at": "too_large", "rule.tiers.0.percent_off": "not_a_percent"},
        ),
        (percents("count", (2, 0)), {"rule.tiers.0.percent_off": "not_a_percent"}),
        (percents("count", (2, 100)), {"rule.tiers.0.percent_off": "not_a_percent"}),
        (percents("count", (2, 99.99)), {}),
        (percents("count", (2, 0.01)), {}),
        (percents("count", (2, 33.333)), {"rule.tiers.0.percent_off": "too_many_decimals"}),
        (percents("count", (2, 0.001)), {"rule.tiers.0.percent_off": "too_many_decimals"}),
        (percents("count", (2, 1e-9)), {"rule.tiers.0.percent_off": "too_many_decimals"}),
        (percents("count", (2, float("inf"))), {"rule.tiers.0.percent_off": "too_many_decimals"}),
        (percents("count", (2, float("nan"))), {"rule.tiers.0.percent_off": "too_many_decimals"}),
        (percents("count", (2, 20), (2, 30)), {"rule.tiers.1.at": "tier_not_increasing"}),
        (percents("count", (2, 30), (3, 30.0)), {"rule.tiers.1.percent_off": "tier_not_increasing"}),
        (
            percents("amount", (3000, 30), (2000, 20)),
            {"rule.tiers.1.at": "tier_not_increasing", "rule.tiers.1.percent_off": "tier_not_increasing"},
        ),
        (
            {"tiers": [{"at": 3, "percent_off": 12.345}, {"at": 3}]},
            {
                "rule.by": "missing",
                "rule.tiers.0.percent_off": "too_many_decimals",
                "rule.tiers.1.at": "tier_not_increasing",
                "rule.tiers.1.percent_off": "missing",
            },
        ),
    ],
)
def test_threshold_discount(rule: dict[str, Any], expected: Expected) -> None:
    check("threshold_discount", {"rule": rule}, expected)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, {"rule.price": "missing", "rule.components": "missing"}),
        ({"price": 5, "components": []}, {"rule.components": "missing"}),
        (
            {"price": 5, "components": [{}]},
            {"rule.components.0.sku": "missing", "rule.components.0.quantity": "missing"},
        ),
        (
            {"price": 5, "components": ["kettle"]},
            {
                "rule.components.0": "not_an_object",
                "rule.components.0.sku": "missing",
                "rule.components.0.quantity": "missing",
            },
        ),
        ({"price": 13566, "components": PAIR}, {}),
        ({"price": 13567, "components": PAIR}, {"rule.price": "above_the_parts"}),
        ({"price": 0, "components": PAIR}, {}),
        ({"price": -1, "components": PAIR}, {"rule.price": "too_small"}),
        ({"price": HUGE, "components": PAIR}, {"rule.price": "too_large"}),
        ({"price": 9, "components": PAIR, "percent_off": 5}, {"rule.percent_off": "unknown_field"}),
        (
            {"price": 9, "components": [{**PAIR[0], "price": 5}, PAIR[1]]},
            {"rule.components.0.price": "unknown_field"},
        ),
        (bundle(100, ("kettle", 1)), {"rule.components": "too_few_units"}),
        (bundle(100, ("kettle", 2)), {}),
        (bundle(100, ("kettle", 0)), {"rule.components.0.quantity": "too_small"}),
        (bundle(100, ("kettle", -1)), {"rule.components.0.quantity": "too_small"}),
        (bundle(100, ("kettle", 1000)), {"rule.components.0.quantity": "too_large"}),
        (bundle(100, ("kettle", 999)), {}),
        (bundle(100, ("kettle", 1), ("kettle", 1)), {"rule.components.1.sku": "duplicate_sku"}),
        (bundle(100, ("none", 2)), {"rule.components.0.sku": "unknown_sku"}),
        (bundle(100, ("mug", 2)), {"rule.components.0.sku": "gift_only"}),
        (bundle(100, ("kettle", 1), ("relic", 2)), {"rule.components.1.sku": "not_on_sale"}),
        (bundle(100, ("no such", 2)), {"rule.components.0.sku": "bad_form"}),
        (bundle(100, (None, 2)), {"rule.components.0.sku": "missing"}),
        (bundle(100, *((f"s{number}", 1) for number in range(51))), {"rule.components": "too_many"}),
        (
            bundle(None, ("kettle", 1), ("kettle", 0), ("none", None)),
            {
                "rule.price": "missing",
                "rule.components.1.quantity": "too_small",
                "rule.components.1.sku": "duplicate_sku",
                "rule.components.2.sku": "unknown_sku",
                "rule.components.2.quantity": "missing",
            },
        ),
    ],
)
def test_bundle(rule: dict[str, Any], expected: Expected) -> None:
    check("bundle", {"rule": rule, "items": []}, expected)


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"items": [{"sku": "kettle"}]}, {"items": "not_the_components"}),
        ({"items": [{"sku": "kettle"}, {"sku": "lamp"}]}, {"items": "not_the_components"}),
        ({"items": [{"sku": "cup"}, {"sku": "kettle"}, {"sku": "lamp"}]}, {"items": "not_the_components"}),
        ({"items": [{"sku": "cup"}, {"sku": "kettle"}, {"sku": "cup"}]}, {"items.2.sku": "duplicate_sku"}),
        ({"items": [{"sku": "cup"}, {"sku": "kettle"}]}, {}),
        ({"scope": "all"}, {"scope": "items_only"}),
        ({"scope": "all", "items": []}, {"scope": "items_only"}),
        ({"scope": "category", "categories": ["kitchen"]}, {"scope": "items_only"}),
    ],
)
def test_what_a_bundle_may_list(about: dict[str, Any], expected: Expected) -> None:
    check("bundle", about, expected)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize(
    "gone", [{}, {"kettle": at_price(1), "cup": at_price(1)}, {"kettle": at_price(1), "cup": OFF_SALE}]
)
def test_what_is_published_already_is_not_judged_by_new_prices(type_name: str, gone: dict[str, Any]) -> None:
    about = {**GOOD[type_name], **({"rule": {"price": 6000}} if type_name == "item_discount" else {})}
    assert told(type_name, about, products=gone, kept=("kettle", "cup")) == []
    assert bool(told(type_name, about, products=gone)) == (type_name in {"item_discount", "bundle"} or not gone)


def test_a_set_that_fits_into_no_cart_is_refused() -> None:
    parts = [(f"s{number}", 999) for number in range(11)]
    unknown = {f"rule.components.{place}.sku": "unknown_sku" for place in range(11)}
    about = {"rule": bundle(100, *parts), "items": []}
    check("bundle", about, {"rule.components": "too_many_units", **unknown})


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

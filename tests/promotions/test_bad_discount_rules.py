"""Given a rule of a discount or a bundle that makes no sense, each guard tells its field and its code."""

from __future__ import annotations

from typing import Any

import pytest

from tests.promotions.discounts import HUGE, PAIR, Expected, bundle, check, every, percents, tiers


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


def test_a_set_that_fits_into_no_cart_is_refused() -> None:
    parts = [(f"s{number}", 999) for number in range(11)]
    unknown = {f"rule.components.{place}.sku": "unknown_sku" for place in range(11)}
    about = {"rule": bundle(100, *parts), "items": []}
    check("bundle", about, {"rule.components": "too_many_units", **unknown})

"""Given an item discount, each unit of each product costs what its own terms or the rule's say, to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions import registry
from tests.promotions import evaluating
from tests.promotions.evaluating import rounded

percents = st.integers(1, 9_999).map(lambda hundredths: Decimal(hundredths) / 100)


@pytest.mark.parametrize(
    ("rule", "price", "off"),
    [
        ({"percent_off": 40}, 9999, 4000),
        ({"percent_off": 50}, 99, 49),
        ({"percent_off": 12.5}, 333, 42),
        ({"percent_off": 99.99}, 4999, 4999),
        ({"amount_off": 2000}, 9999, 2000),
        ({"amount_off": 1}, 1, 1),
        ({"price": 6000}, 9999, 3999),
        ({"price": 0}, 9999, 9999),
    ],
)
def test_every_unit_is_reduced_alike(rule: dict[str, Any], price: int, off: int) -> None:
    effect = evaluating.effect("item_discount", rule, ("kettle", price, 3))
    assert (effect.per_unit, effect.discount, effect.reached, effect.next) == ((off,), 3 * off, True, None)


def test_terms_of_a_product_go_before_those_of_the_rule() -> None:
    items: list[dict[str, Any]] = [
        {"sku": "kettle"},
        {"sku": "lamp", "percent_off": 50},
        {"sku": "cup", "amount_off": 33},
        {"sku": "pan", "price": 9},
    ]
    lines = [("kettle", 12900, 1), ("lamp", 5901, 2), ("cup", 333, 3), ("pan", 100, 1)]
    effect = evaluating.effect("item_discount", {"price": 10000}, *lines, items=items)
    assert effect.per_unit == (2900, 2950, 33, 91)
    assert effect.discount == 2900 + 2 * 2950 + 3 * 33 + 91


@pytest.mark.parametrize(
    ("rule", "price", "code"),
    [
        ({"price": 5999}, 6000, None),
        ({"price": 6000}, 6000, "not_below_base"),
        ({"price": 6000}, 5999, "not_below_base"),
        ({"amount_off": 500}, 500, None),
        ({"amount_off": 501}, 500, "not_below_base"),
        ({"percent_off": 0.01}, 4999, "not_below_base"),
        ({"percent_off": 0.01}, 5001, None),
        ({"percent_off": 50}, 0, "not_below_base"),
        ({}, 500, "not_below_base"),
    ],
)
def test_a_product_that_would_not_get_cheaper_is_left_out(
    rule: dict[str, Any], price: int, code: str | None
) -> None:
    promotion = registry.available()["item_discount"]
    fields: Any = promotion.fields.model_validate({"rule": rule})
    assert promotion.refuses(fields.rule, None, price, 1) == code


@settings(max_examples=80, deadline=None)
@given(percent=percents, price=st.integers(0, 10**12), quantity=st.integers(1, 9_999))
def test_a_percentage_is_rounded_half_up_for_each_unit(percent: Decimal, price: int, quantity: int) -> None:
    effect = evaluating.effect("item_discount", {"percent_off": float(percent)}, ("kettle", price, quantity))
    assert price * quantity - effect.discount == rounded(price, percent) * quantity
    assert 0 <= effect.discount <= price * quantity


@pytest.mark.parametrize(
    ("rule", "items", "english", "chinese"),
    [
        ({"percent_off": 15}, [], "15% off", "8.5 折"),
        ({"percent_off": 12.5}, [], "12.5% off", "8.75 折"),
        ({"amount_off": 2000}, [], "20 off each", "每件減 20"),
        ({"price": 2999}, [], "Now 29.99", "特價 29.99"),
        ({"price": 2999}, [{"sku": "kettle"}, {"sku": "lamp", "price": 1}], "Special price", "特價"),
        ({"price": 9}, [{"sku": "kettle", "price": 500}], "Now 5", "特價 5"),
        ({"amount_off": 123456789012}, [], "1234567890.12 off each", "每件減 1234567890.12"),
        ({}, [], "Special price", "特價"),
    ],
)
def test_the_label_says_what_all_products_have_in_common(
    rule: dict[str, Any], items: list[dict[str, Any]], english: str, chinese: str
) -> None:
    assert evaluating.labels("item_discount", rule, items) == (english, chinese)

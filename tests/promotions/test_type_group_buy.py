"""Given a line of a group buy, every unit costs the group price."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions import registry
from tests.promotions.evaluating import effect, labels, refusal


@pytest.mark.parametrize(("own", "off"), [({}, 3000), ({"price": 8900}, 4000), ({"price": 0}, 12900)])
def test_every_unit_costs_the_group_price(own: dict[str, Any], off: int) -> None:
    found = effect("group_buy", {"price": 9900}, ("kettle", 12900, 2), items=[{"sku": "kettle", **own}])
    assert (found.reached, found.tier, found.per_unit, found.discount) == (True, 0, (off,), 2 * off)
    assert found.next is None


@pytest.mark.parametrize(
    ("rule", "base", "quantity", "expected"),
    [
        ({"price": 9900}, 9901, 1, None),
        ({"price": 9900}, 9900, 1, "not_below_base"),
        ({"price": 9900}, 12900, 2, "limit_per_shopper"),
        ({"price": 9900, "limit_per_shopper": 2}, 12900, 2, None),
        ({"price": 9900, "limit_per_shopper": 2}, 12900, 3, "limit_per_shopper"),
        ({}, 12900, 1, "not_below_base"),
    ],
)
def test_what_is_left_out(rule: dict[str, Any], base: int, quantity: int, expected: str | None) -> None:
    assert refusal("group_buy", rule, base, quantity) == expected


def test_coupons_are_not_allowed_unless_the_operator_says_so() -> None:
    assert registry.available()["group_buy"].coupons_allowed is False


@pytest.mark.parametrize(
    ("rule", "items", "expected"),
    [
        ({"price": 5900}, [{"sku": "a"}], ("Group of 3: 59", "3 人團 59")),
        ({"price": 5900, "size": 10}, [], ("Group of 10: 59", "10 人團 59")),
        ({"price": 5900}, [{"sku": "a"}, {"sku": "b", "price": 990}], ("Group of 3: from 9.90", "3 人團 9.90 起")),
        ({"price": 10**12, "size": 1000}, [], ("Group of 1000", "1000 人團 10000000000")),
        ({}, [], ("Group of 3", "3 人團")),
    ],
)
def test_labels(rule: dict[str, Any], items: list[dict[str, Any]], expected: tuple[str, str]) -> None:
    assert labels("group_buy", rule, items) == expected


def test_labels_show_amounts_of_the_shop_s_currency() -> None:
    assert labels("group_buy", {"price": 590}, currency="JPY") == ("Group of 3: 590", "3 人團 590")

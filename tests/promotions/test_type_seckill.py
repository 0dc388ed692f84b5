"""Given a seckill, a cart never prices it, and what it names on pages is its lowest price."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from admin.promotions import registry
from tests.promotions.evaluating import fields_of, labels


def test_it_is_sold_by_the_gateway_alone() -> None:
    promotion = registry.available()["seckill"]
    assert promotion.evaluate is None
    assert promotion.sold_by_gateway
    assert promotion.own_button
    assert promotion.coupons_allowed is False


def test_a_session_is_named_with_its_date() -> None:
    session = fields_of("seckill", {"session": {"id": "noon", "date": "2028-02-29"}}).rule.session
    assert (session.id, session.day) == ("noon", date(2028, 2, 29))


@pytest.mark.parametrize(
    ("rule", "items", "expected"),
    [
        ({"price": 9900}, [{"sku": "a"}], ("Flash sale 99.00", "秒殺價 99.00")),
        (
            {"price": 9900},
            [{"sku": "a"}, {"sku": "b", "price": 4900}],
            ("Flash sale from 49.00", "秒殺價 49.00 起"),
        ),
        ({"price": 10**12}, [], ("Flash sale", "秒殺價 10000000000.00")),
        ({}, [], ("Flash sale", "限時秒殺")),
    ],
)
def test_labels(rule: dict[str, Any], items: list[dict[str, Any]], expected: tuple[str, str]) -> None:
    assert labels("seckill", rule, items) == expected

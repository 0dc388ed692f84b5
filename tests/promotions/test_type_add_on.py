"""Given a group that reaches tiers of an add-on campaign, their options may be added at their prices."""

from __future__ import annotations

from typing import Any

import pytest

from admin.promotions import registry
from admin.promotions.effects import Option
from tests.promotions.evaluating import effect, fields_of, labels


def option(sku: str, price: int, limit: int = 1) -> dict[str, Any]:
    return {"sku": sku, "price": price, "limit": limit}


TIERS = [
    {"spend": 10000, "options": [option("towel", 900, 2), option("mug", 500)]},
    {"spend": 20000, "options": [option("fan", 1900), option("towel", 700)]},
]


@pytest.mark.parametrize(
    ("spent", "tier", "options", "more"),
    [
        pytest.param(9999, None, [], 1, id="a cent too little"),
        pytest.param(10000, 0, [Option("towel", 900, 2), Option("mug", 500, 1)], 10000, id="exactly the first"),
        pytest.param(
            20000,
            1,
            [Option("towel", 700, 1), Option("mug", 500, 1), Option("fan", 1900, 1)],
            None,
            id="all reached tiers, each product at its lowest price with the limit of that price",
        ),
    ],
)
def test_options_of_all_reached_tiers(
    spent: int, tier: int | None, options: list[Option], more: int | None
) -> None:
    found = effect("add_on", {"tiers": TIERS}, ("kettle", spent, 1))
    assert (found.reached, found.tier, found.discount) == (tier is not None, tier, 0)
    assert list(found.options) == options
    assert (found.next.spend_more if found.next else None) == more


def test_lines_count_together_and_a_dearer_offer_of_a_higher_tier_changes_nothing() -> None:
    tiers = [{"spend": 100, "options": [option("mug", 5)]}, {"spend": 200, "options": [option("mug", 6, 9)]}]
    assert effect("add_on", {"tiers": tiers}, ("kettle", 100, 1), ("lamp", 50, 2)).options == (Option("mug", 5, 1),)


def test_at_one_price_the_larger_limit_holds() -> None:
    tiers = [{"spend": 1, "options": [option("mug", 5, 2)]}, {"spend": 2, "options": [option("mug", 5, 3)]}]
    assert effect("add_on", {"tiers": tiers}, ("kettle", 2, 1)).options == (Option("mug", 5, 3),)


def test_a_first_tier_of_zero_is_reached_by_any_purchase() -> None:
    found = effect("add_on", {"tiers": [{"spend": 0, "options": [option("mug", 0)]}]}, ("kettle", 0, 1))
    assert (found.reached, found.tier, found.options) == (True, 0, (Option("mug", 0, 1),))


def test_it_names_its_options() -> None:
    assert list(registry.available()["add_on"].named(fields_of("add_on", {"tiers": TIERS}).rule)) == [
        "towel",
        "mug",
        "fan",
        "towel",
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"tiers": TIERS}, ("Add-on from 5", "加 5 起換購")),
        ({"tiers": [{"spend": 1, "options": [option("mug", 999)]}]}, ("Add-on for 9.99", "加 9.99 換購")),
        ({"tiers": [{"spend": 1, "options": [{"sku": "mug"}]}]}, ("Add-on offer", "加價購")),
        ({}, ("Add-on offer", "加價購")),
    ],
)
def test_labels(rule: dict[str, Any], expected: tuple[str, str]) -> None:
    assert labels("add_on", rule) == expected

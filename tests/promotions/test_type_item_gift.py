"""Given units that joined an item gift, the listed gifts are granted for every so many of them."""

from __future__ import annotations

import pytest

from admin.promotions import registry
from admin.promotions.effects import Gift, Grant
from tests.promotions.evaluating import effect, fields_of, labels, pieces

MUG = {"gifts": [{"sku": "mug", "quantity": 2}]}


@pytest.mark.parametrize(
    ("terms", "units", "times"),
    [
        pytest.param({}, 1, 1, id="one unit"),
        pytest.param({}, 5, 5, id="five units"),
        pytest.param({"per": 3}, 2, 0, id="one too few"),
        pytest.param({"per": 3}, 3, 1, id="just enough"),
        pytest.param({"per": 3}, 11, 3, id="a rest gives nothing"),
        pytest.param({"per": 3, "max": 2}, 11, 2, id="at most twice"),
        pytest.param({"per": 3, "max": 2}, 5, 1, id="below the most"),
    ],
)
def test_gifts_come_for_every_so_many_units(terms: dict[str, int], units: int, times: int) -> None:
    found = effect("item_gift", {**MUG, **terms}, ("kettle", 12900, units))
    assert found.reached is (times > 0)
    assert found.tier == (0 if times else None)
    assert found.grants == ((Grant((Gift("mug", 2),), None, times),) if times else ())
    assert found.discount == 0


def test_units_of_all_lines_count_together() -> None:
    found = effect("item_gift", {**MUG, "per": 4}, ("kettle", 100, 3), ("lamp", 200, 1))
    assert [grant.times for grant in found.grants] == [1]


@pytest.mark.parametrize(
    ("terms", "units", "buy_more", "then"),
    [
        ({}, 1, 1, {"mug": 4}),
        ({"per": 3}, 1, 2, {"mug": 2}),
        ({"per": 3}, 3, 3, {"mug": 4}),
        ({"per": 3}, 5, 1, {"mug": 4}),
        ({"per": 3, "max": 2}, 5, 1, {"mug": 4}),
    ],
)
def test_the_hint_leads_to_the_next_multiple(
    terms: dict[str, int], units: int, buy_more: int, then: dict[str, int]
) -> None:
    found = effect("item_gift", {**MUG, **terms}, ("kettle", 12900, units)).next
    assert found is not None
    assert (found.buy_more, found.spend_more, found.discount) == (buy_more, None, 0)
    assert pieces(found.gifts) == then


@pytest.mark.parametrize("units", [6, 7, 100])
def test_there_is_no_hint_once_the_most_is_given(units: int) -> None:
    assert effect("item_gift", {**MUG, "per": 3, "max": 2}, ("kettle", 12900, units)).next is None


def test_it_names_its_gifts() -> None:
    rule = fields_of("item_gift", {"gifts": [{"sku": "mug"}, {"sku": "spoon"}]}).rule
    assert list(registry.available()["item_gift"].named(rule)) == ["mug", "spoon"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (MUG, ("Free gift", "買就送")),
        ({**MUG, "per": 2}, ("Buy 2, free gift", "買 2 件送贈品")),
        ({**MUG, "per": 10**9}, ("Free gift", "買 1000000000 件送贈品")),
        ({}, ("Free gift", "買就送")),
    ],
)
def test_labels(rule: dict[str, object], expected: tuple[str, str]) -> None:
    assert labels("item_gift", rule) == expected

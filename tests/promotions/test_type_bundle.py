"""Given a bundle, whole sets get its price, units beyond them keep theirs, and the next set is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions import money, registry
from admin.promotions.effects import Next
from tests.promotions import evaluating

SET = {"price": 12999, "components": [{"sku": "kettle", "quantity": 1}, {"sku": "cup", "quantity": 2}]}


def bundle(kettles: int, cups: int, *, kettle: int = 9999, cup: int = 2499) -> Any:
    lines = [("kettle", kettle, kettles), ("cup", cup, cups)]
    return evaluating.effect("bundle", SET, *[line for line in lines if line[2]])


@pytest.mark.parametrize(
    ("kettles", "cups", "sets", "further"),
    [
        (1, 1, 0, Next(buy_more=1, discount=1998)),
        (5, 1, 0, Next(buy_more=1, discount=1998)),
        (1, 2, 1, Next(buy_more=3, discount=2 * 1998)),
        (1, 3, 1, Next(buy_more=2, discount=2 * 1998)),
        (2, 3, 1, Next(buy_more=1, discount=2 * 1998)),
        (2, 4, 2, Next(buy_more=3, discount=3 * 1998)),
        (3, 5, 2, Next(buy_more=1, discount=3 * 1998)),
        (1, 100, 1, Next(buy_more=1, discount=2 * 1998)),
    ],
)
def test_only_whole_sets_count(kettles: int, cups: int, sets: int, further: Next) -> None:
    effect = bundle(kettles, cups)
    assert (effect.reached, effect.discount, effect.next) == (sets > 0, sets * 1998, further)
    assert effect.sharing == ((sets, 2 * sets) if sets else None)
    assert effect.tier == (0 if sets else None)


@pytest.mark.parametrize(
    ("kettles", "cups", "further"),
    [
        # Cups have no known price: 99.99 alone saves nothing yet.
        (1, 0, Next(buy_more=2, discount=0)),
        (0, 1, Next(buy_more=2, discount=0)),
    ],
)
def test_a_part_that_is_not_in_the_cart_makes_no_set_and_promises_nothing(
    kettles: int, cups: int, further: Next
) -> None:
    effect = bundle(kettles, cups)
    assert (effect.reached, effect.discount, effect.next) == (False, 0, further)


def test_what_known_parts_save_alone_is_promised() -> None:
    assert bundle(1, 0, kettle=14000).next == Next(buy_more=2, discount=1001)


def test_parts_that_got_cheaper_are_not_made_dearer() -> None:
    effect = bundle(2, 5, kettle=8000, cup=2499)
    assert (effect.reached, effect.discount, effect.next) == (True, 0, None)
    assert bundle(1, 1, kettle=8001, cup=2499).next is None
    assert bundle(1, 2, kettle=8002, cup=2499).discount == 1


def test_one_product_several_times_is_a_set() -> None:
    rule = {"price": 5000, "components": [{"sku": "cup", "quantity": 3}]}
    effect = evaluating.effect("bundle", rule, ("cup", 1999, 8))
    assert (effect.discount, effect.sharing, effect.next) == (1994, (6,), Next(buy_more=1, discount=2991))


def test_a_line_that_is_no_part_of_the_set_takes_no_share() -> None:
    promotion = registry.available()["bundle"]
    effect = evaluating.effect("bundle", SET, ("lamp", 100, 5), ("kettle", 9999, 1), ("cup", 2499, 2))
    assert (effect.discount, effect.sharing) == (1998, (0, 1, 2))
    rule = promotion.fields.model_validate({"rule": SET})
    terms: Any = rule
    assert [promotion.refuses(terms.rule, item, 1, 1) for item in terms.items] == [None, None]
    assert promotion.refuses(terms.rule, promotion.item(sku="lamp"), 1, 1) == "not_in_scope"
    assert promotion.refuses(terms.rule, None, 1, 1) == "not_in_scope"


@pytest.mark.parametrize(
    ("items", "listed"),
    [
        (None, ["kettle", "cup"]),
        ([], ["kettle", "cup"]),
        ([{"sku": "cup"}, {"sku": "kettle"}], ["cup", "kettle"]),
    ],
)
def test_the_components_are_the_items(items: Any, listed: list[str]) -> None:
    body = {"type": "bundle", "rule": SET} | ({} if items is None else {"items": items})
    given: Any = registry.available()["bundle"].campaign.model_validate(body)
    assert [item.sku for item in given.items] == listed


def test_a_draft_may_lack_components() -> None:
    body = {"type": "bundle", "draft": True, "rule": {"components": [{"sku": "cup"}, {}, {"sku": "cup"}]}}
    given: Any = registry.available()["bundle"].campaign.model_validate(body)
    assert [item.sku for item in given.items] == ["cup"]


parts = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 10**7), st.integers(1, 200)), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(drawn=parts, price=st.integers(0, 10**8))
def test_a_set_costs_its_price_or_less_and_its_units_bear_no_more_than_they_cost(
    drawn: list[tuple[int, int, int]], price: int
) -> None:
    rule = {
        "price": price,
        "components": [{"sku": f"s{place}", "quantity": needed} for place, (needed, _, _) in enumerate(drawn)],
    }
    lines = [(f"s{place}", each, have) for place, (_, each, have) in enumerate(drawn)]
    effect = evaluating.effect("bundle", rule, *lines)
    sets = min(have // needed for needed, _, have in drawn)
    inside = sets * sum(needed * each for needed, each, _ in drawn)
    assert inside - effect.discount == min(inside, sets * price)
    if effect.sharing is not None:
        weights = [part * each for part, (_, each, _) in zip(effect.sharing, drawn, strict=True)]
        shares = money.share(effect.discount, weights)
        assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))
        assert all(part <= have for part, (_, _, have) in zip(effect.sharing, drawn, strict=True))
    if effect.next is not None:
        full = [
            (sku, each, max(have, needed * (sets + 1)))
            for (sku, each, have), (needed, _, _) in zip(lines, drawn, strict=True)
        ]
        assert sum(have for _, _, have in full) - sum(have for _, _, have in lines) == effect.next.buy_more
        assert evaluating.effect("bundle", rule, *full).discount == effect.next.discount


@pytest.mark.parametrize(
    ("rule", "english", "chinese"),
    [
        ({"price": 45000}, "Bundle 450", "套裝價 450"),
        ({"price": 12999}, "Bundle 129.99", "套裝價 129.99"),
        ({"price": 10**12}, "Bundle 10000000000", "套裝價 10000000000"),
        ({}, "Bundle", "套裝優惠"),
    ],
)
def test_the_label_tells_the_price(rule: dict[str, Any], english: str, chinese: str) -> None:
    assert evaluating.labels("bundle", rule) == (english, chinese)

"""Given a threshold discount, the percentage of the best reached step is taken off the whole group at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions.effects import Next
from tests.promotions import evaluating
from tests.promotions.evaluating import rounded

BY_COUNT = {"by": "count", "tiers": [{"at": 2, "percent_off": 30}, {"at": 4, "percent_off": 33.33}]}
BY_AMOUNT = {"by": "amount", "tiers": [{"at": 10000, "percent_off": 5}, {"at": 30001, "percent_off": 12.5}]}


@pytest.mark.parametrize(
    ("quantity", "discount", "tier", "further"),
    [
        (1, 0, None, Next(buy_more=1, discount=1500)),
        (2, 2999, 0, Next(buy_more=2, discount=3332)),
        (3, 4499, 0, Next(buy_more=1, discount=4999)),
        (4, 6665, 1, None),
        (9999, 16660001, 1, None),
    ],
)
def test_pieces_count_and_all_of_them_get_cheaper(
    quantity: int, discount: int, tier: int | None, further: Next | None
) -> None:
    effect = evaluating.effect("threshold_discount", BY_COUNT, ("cup", 4999, quantity))
    assert (effect.discount, effect.tier, effect.reached, effect.next) == (
        discount,
        tier,
        tier is not None,
        further,
    )


@pytest.mark.parametrize(
    ("subtotal", "discount", "tier", "further"),
    [
        (9999, 0, None, Next(spend_more=1, discount=500)),
        (10000, 500, 0, Next(spend_more=20001, discount=3750)),
        (30000, 1500, 0, Next(spend_more=1, discount=3750)),
        (30001, 3750, 1, None),
    ],
)
def test_spending_counts_and_the_hint_is_for_exactly_the_next_threshold(
    subtotal: int, discount: int, tier: int | None, further: Next | None
) -> None:
    effect = evaluating.effect("threshold_discount", BY_AMOUNT, ("kettle", subtotal, 1))
    assert (effect.discount, effect.tier, effect.reached, effect.next) == (
        discount,
        tier,
        tier is not None,
        further,
    )


def test_the_group_is_rounded_once_and_not_line_by_line() -> None:
    # Line by line it would be 3 × 0.50 off; half of 2.97 is 1.485, and 1.49 is left to pay.
    lines = [("pin", 99, 1), ("nail", 99, 1), ("bolt", 99, 1)]
    rule = {"by": "count", "tiers": [{"at": 3, "percent_off": 50}]}
    assert evaluating.effect("threshold_discount", rule, *lines).discount == 148


steps = st.dictionaries(st.integers(1, 10_000), st.integers(1, 9_999), min_size=1, max_size=20)


@settings(max_examples=80, deadline=None)
@given(
    by=st.sampled_from(["amount", "count"]),
    drawn=steps,
    lines=st.lists(st.tuples(st.integers(1, 2_000), st.integers(0, 10**9)), min_size=1, max_size=5),
)
def test_the_percentage_is_exact_and_never_more_than_the_group_costs(
    by: str, drawn: dict[int, int], lines: list[tuple[int, int]]
) -> None:
    percents = sorted(set(drawn.values()))
    tiers = [{"at": at, "percent_off": percent / 100} for at, percent in zip(sorted(drawn), percents, strict=False)]
    group = [(f"s{number}", price, quantity) for number, (quantity, price) in enumerate(lines)]
    subtotal = sum(quantity * price for quantity, price in lines)
    have = subtotal if by == "amount" else sum(quantity for quantity, _ in lines)
    effect = evaluating.effect("threshold_discount", {"by": by, "tiers": tiers}, *group)
    reached = [tier for tier in tiers if tier["at"] <= have]
    assert effect.reached == bool(reached)
    assert effect.tier == (len(reached) - 1 if reached else None)
    left = rounded(subtotal, Decimal(percents[len(reached) - 1]) / 100) if reached else subtotal
    assert subtotal - effect.discount == left
    assert 0 <= effect.discount <= subtotal
    assert (effect.next is None) == (len(reached) == len(tiers))
    if effect.next is not None:
        more = effect.next.buy_more if by == "count" else effect.next.spend_more
        assert more == tiers[len(reached)]["at"] - have
        assert by == "amount" or effect.next.discount >= effect.discount


@pytest.mark.parametrize(
    ("rule", "english", "chinese"),
    [
        ({"by": "count", "tiers": [{"at": 2, "percent_off": 30}]}, "2+ items 30% off", "滿 2 件 7 折"),
        ({"by": "amount", "tiers": [{"at": 100000, "percent_off": 15}]}, "15% off over 1000", "滿 1000 打 8.5 折"),
        (BY_COUNT, "Up to 33.33% off", "最高 6.667 折"),
        ({"by": "amount", "tiers": [{"at": 10**12, "percent_off": 12.34}]}, "Buy more, save more", "滿額滿件折"),
        ({"by": "count", "tiers": [{"at": 2}]}, "Buy more, save more", "滿額滿件折"),
        ({}, "Buy more, save more", "滿額滿件折"),
    ],
)
def test_the_label_tells_the_step_or_the_best_one(rule: dict[str, Any], english: str, chinese: str) -> None:
    assert evaluating.labels("threshold_discount", rule) == (english, chinese)

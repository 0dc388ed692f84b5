"""Given a threshold reduction, exactly the amount of the reached step is taken off, and the next step is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions.effects import Next
from tests.promotions import evaluating

LADDER = {
    "mode": "tiers",
    "tiers": [{"spend": 10000, "off": 1000}, {"spend": 30000, "off": 4000}, {"spend": 50000, "off": 50000}],
}
EVERY = {"mode": "every", "spend": 5000, "off": 500}
amounts = st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("subtotal", "discount", "tier", "further"),
    [
        (0, 0, None, Next(spend_more=10000, discount=1000)),
        (9999, 0, None, Next(spend_more=1, discount=1000)),
        (10000, 1000, 0, Next(spend_more=20000, discount=4000)),
        (29999, 1000, 0, Next(spend_more=1, discount=4000)),
        (30000, 4000, 1, Next(spend_more=20000, discount=50000)),
        (50000, 50000, 2, None),
        (10**12, 50000, 2, None),
    ],
)
def test_the_best_reached_tier_counts_once(
    subtotal: int, discount: int, tier: int | None, further: Next | None
) -> None:
    effect = evaluating.effect("threshold_reduction", LADDER, ("kettle", subtotal, 1))
    assert (effect.discount, effect.tier, effect.reached, effect.next) == (
        discount,
        tier,
        tier is not None,
        further,
    )


@pytest.mark.parametrize(
    ("cap", "subtotal", "discount", "further"),
    [
        (None, 4999, 0, Next(spend_more=1, discount=500)),
        (None, 5000, 500, Next(spend_more=5000, discount=1000)),
        (None, 14999, 1000, Next(spend_more=1, discount=1500)),
        (None, 10**12, 10**11, Next(spend_more=5000, discount=10**11 + 500)),
        (1200, 4999, 0, Next(spend_more=1, discount=500)),
        (1200, 10001, 1000, Next(spend_more=4999, discount=1200)),
        (1200, 15000, 1200, None),
        (1200, 10**12, 1200, None),
        (500, 5000, 500, None),
    ],
)
def test_every_full_amount_counts_again_up_to_the_cap(
    cap: int | None, subtotal: int, discount: int, further: Next | None
) -> None:
    effect = evaluating.effect("threshold_reduction", {**EVERY, "cap": cap}, ("kettle", subtotal, 1))
    reached = discount > 0
    assert (effect.discount, effect.tier, effect.reached, effect.next) == (
        discount,
        0 if reached else None,
        reached,
        further,
    )


def test_all_lines_count_together_and_share_by_what_they_cost() -> None:
    effect = evaluating.effect("threshold_reduction", LADDER, ("kettle", 4999, 2), ("cup", 2, 1))
    assert (effect.discount, effect.per_unit, effect.sharing) == (1000, None, None)


@settings(max_examples=80, deadline=None)
@given(
    ladder=st.lists(st.tuples(amounts, amounts), min_size=1, max_size=20),
    every=st.tuples(amounts, amounts, st.none() | amounts),
    subtotals=st.lists(st.integers(0, 10**13), min_size=2, max_size=6).map(sorted),
)
def test_spending_more_never_takes_less_off_nor_more_than_is_spent(
    ladder: list[tuple[int, int]], every: tuple[int, int, int | None], subtotals: list[int]
) -> None:
    spends, offs = sorted({spend for spend, _ in ladder}), sorted({off for _, off in ladder})
    steps = [{"spend": spend, "off": off} for spend, off in zip(spends, offs, strict=False) if off <= spend]
    spend, off, cap = every
    off = min(spend, off)
    for rule in ({"mode": "tiers", "tiers": steps}, {"mode": "every", "spend": spend, "off": off, "cap": cap}):
        effects = [
            evaluating.effect("threshold_reduction", rule, ("kettle", subtotal, 1)) for subtotal in subtotals
        ]
        assert all(0 <= each.discount <= subtotal for each, subtotal in zip(effects, subtotals, strict=True))
        discounts = [each.discount for each in effects]
        assert discounts == sorted(discounts)
        for effect, subtotal in zip(effects, subtotals, strict=True):
            if effect.next is not None:
                # The hint keeps its word: that much more, and not a cent less, gives what it says.
                more = effect.next.spend_more or 0
                assert (
                    evaluating.effect("threshold_reduction", rule, ("kettle", subtotal + more, 1)).discount
                    == effect.next.discount
                )
                assert (
                    evaluating.effect("threshold_reduction", rule, ("kettle", subtotal + more - 1, 1)).discount
                    == effect.discount
                )


@pytest.mark.parametrize(
    ("rule", "currency", "english", "chinese"),
    [
        (
            {"mode": "tiers", "tiers": [{"spend": 100000, "off": 10000}]},
            "CNY",
            "100 off over 1000",
            "滿 1000 減 100",
        ),
        ({"mode": "tiers", "tiers": [{"spend": 1000, "off": 100}]}, "JPY", "100 off over 1000", "滿 1000 減 100"),
        (LADDER, "CNY", "Up to 500 off", "最高減 500"),
        (EVERY, "CNY", "Every 50: 5 off", "每滿 50 減 5"),
        ({"mode": "every", "spend": 9999, "off": 50}, "CNY", "Every 99.99: 0.50 off", "每滿 99.99 減 0.50"),
        ({"mode": "every", "spend": 10**12, "off": 10**11}, "CNY", "Spend and save", "滿額減"),
        ({"mode": "every"}, "CNY", "Spend and save", "滿額減"),
        ({}, "CNY", "Spend and save", "滿額減"),
    ],
)
def test_the_label_tells_the_step_or_the_best_one(
    rule: dict[str, Any], currency: str, english: str, chinese: str
) -> None:
    assert evaluating.labels("threshold_reduction", rule, currency=currency) == (english, chinese)

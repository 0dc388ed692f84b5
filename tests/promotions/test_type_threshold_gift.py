"""Given a group that reaches tiers of a threshold gift, their gifts are granted as the mode says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions import registry
from admin.promotions.effects import Effect, Gift, Grant
from tests.promotions.evaluating import effect, fields_of, labels, pieces

SPOON, MUG, BAG = ({"sku": sku, "quantity": 1} for sku in ("spoon", "mug", "bag"))
TIERS = [{"at": 10000, "gifts": [SPOON]}, {"at": 30000, "gifts": [MUG, SPOON]}]
SAME = {"same_item": True, "quantity": 1}


def by_amount(mode: str, **terms: Any) -> dict[str, Any]:
    return {"by": "amount", "mode": mode, "tiers": TIERS, **terms}


def granted(found: Effect) -> dict[str, int]:
    """Pieces of grants without a choice, by SKU."""
    total: dict[str, int] = {}
    for grant in found.grants:
        assert grant.choose is None
        for gift in grant.options:
            total[gift.sku] = total.get(gift.sku, 0) + gift.quantity * grant.times
    return total


@pytest.mark.parametrize(
    ("mode", "spent", "tier", "gifts", "more", "then"),
    [
        pytest.param("best", 9999, None, {}, 1, {"spoon": 1}, id="a cent too little"),
        pytest.param("best", 10000, 0, {"spoon": 1}, 20000, {"mug": 1, "spoon": 1}, id="exactly the first"),
        pytest.param("best", 30000, 1, {"mug": 1, "spoon": 1}, None, {}, id="the best only"),
        pytest.param("cumulative", 10000, 0, {"spoon": 1}, 20000, {"spoon": 2, "mug": 1}, id="the first of all"),
        pytest.param("cumulative", 30000, 1, {"spoon": 2, "mug": 1}, None, {}, id="both together"),
    ],
)
def test_a_ladder_by_amount(
    mode: str, spent: int, tier: int | None, gifts: dict[str, int], more: int | None, then: dict[str, int]
) -> None:
    found = effect("threshold_gift", by_amount(mode), ("kettle", spent, 1))
    assert (found.reached, found.tier, found.discount) == (tier is not None, tier, 0)
    assert granted(found) == gifts
    if more is None:
        assert found.next is None
    else:
        assert found.next is not None
        assert (found.next.spend_more, found.next.buy_more) == (more, None)
        assert pieces(found.next.gifts) == then


def test_by_count_units_of_all_lines_count_together() -> None:
    rule = {"by": "count", "tiers": [{"at": 3, "gifts": [MUG]}, {"at": 5, "gifts": [BAG]}]}
    found = effect("threshold_gift", rule, ("kettle", 1, 2), ("lamp", 1, 1))
    assert granted(found) == {"mug": 1}
    assert found.next is not None
    assert (found.next.buy_more, found.next.spend_more) == (2, None)
    assert pieces(found.next.gifts) == {"bag": 1}


@pytest.mark.parametrize(
    ("most", "spent", "times", "more"),
    [(None, 9999, 0, 1), (None, 10000, 1, 10000), (None, 35000, 3, 5000), (2, 35000, 2, None), (4, 35000, 3, 5000)],
)
def test_every_multiple_gives_again(most: int | None, spent: int, times: int, more: int | None) -> None:
    rule = by_amount("every", tiers=TIERS[:1], max=most)
    found = effect("threshold_gift", rule, ("kettle", spent, 1))
    assert (found.reached, found.tier) == ((True, 0) if times else (False, None))
    assert granted(found) == ({"spoon": times} if times else {})
    assert (found.next.spend_more if found.next else None) == more
    assert pieces(found.next.gifts if found.next else ()) == ({"spoon": times + 1} if more else {})


def test_where_the_shopper_picks_all_options_are_granted_and_the_hint_names_the_first() -> None:
    tiers = [{"at": 1, "gifts": [MUG, BAG, SPOON], "choose": 2}, {"at": 9, "gifts": [SPOON, BAG], "choose": 1}]
    found = effect("threshold_gift", {"by": "count", "tiers": tiers}, ("kettle", 100, 1))
    assert found.grants == (Grant((Gift("mug", 1), Gift("bag", 1), Gift("spoon", 1)), 2, 1),)
    assert found.next is not None
    assert pieces(found.next.gifts) == {"spoon": 1}


def test_the_same_item_is_one_pick_among_the_joined_products_the_cheapest_first() -> None:
    rule = {"by": "count", "mode": "every", "tiers": [{"at": 2, "gifts": [SAME]}]}
    found = effect("threshold_gift", rule, ("kettle", 500, 2), ("lamp", 300, 1), ("fan", 300, 2), ("cup", 400, 1))
    options = (Gift("lamp", 1), Gift("fan", 1), Gift("cup", 1), Gift("kettle", 1))
    assert found.grants == (Grant(options, 1, 3),)
    assert found.discount == 0
    assert found.next is not None
    assert (found.next.buy_more, pieces(found.next.gifts)) == (2, {"lamp": 4})


def test_it_names_its_gifts_but_not_the_same_item() -> None:
    rule = {"by": "count", "tiers": [{"at": 1, "gifts": [SAME]}, {"at": 2, "gifts": [MUG, BAG]}]}
    read = fields_of("threshold_gift", rule).rule
    assert list(registry.available()["threshold_gift"].named(read)) == ["mug", "bag"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (by_amount("best"), ("Gift over 100", "滿 100 送贈品")),
        (by_amount("every", tiers=[{"at": 9950, "gifts": [MUG]}]), ("Gift every 99.50", "每滿 99.50 送贈品")),
        ({"by": "count", "tiers": [{"at": 3, "gifts": [MUG]}]}, ("Gift with 3 items", "滿 3 件送贈品")),
        (
            {"by": "count", "mode": "every", "tiers": [{"at": 3, "gifts": [MUG]}]},
            ("Gift every 3 items", "每 3 件送贈品"),
        ),
        ({"by": "count", "tiers": [{"at": 2, "gifts": [SAME]}]}, ("Buy 2, get 1 free", "買 2 送 1")),
        (
            by_amount("best", tiers=[{"at": 10**12, "gifts": [MUG]}]),
            ("Gift over 10000000000", "滿 10000000000 送贈品"),
        ),
        ({"by": "count", "tiers": [{"at": 10**12, "gifts": [MUG]}]}, ("Free gift", "滿件贈")),
        ({"by": "count", "tiers": [{"gifts": [MUG]}]}, ("Free gift", "滿件贈")),
        ({}, ("Free gift", "滿額贈")),
    ],
)
def test_labels(rule: dict[str, Any], expected: tuple[str, str]) -> None:
    assert labels("threshold_gift", rule) == expected


ladders = st.lists(
    st.tuples(st.integers(1, 500), st.lists(st.sampled_from(["mug", "bag", "spoon"]), min_size=1, unique=True)),
    min_size=1,
    max_size=5,
    unique_by=lambda tier: tier[0],
).map(lambda rows: [{"at": at, "gifts": [{"sku": sku} for sku in skus]} for at, skus in sorted(rows)])
carts = st.lists(st.tuples(st.just("kettle"), st.integers(0, 100), st.integers(1, 5)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(tiers=ladders, rows=carts, by=st.sampled_from(["amount", "count"]))
def test_cumulative_gives_all_that_best_gives_and_the_hint_keeps_its_word(
    tiers: list[dict[str, Any]], rows: list[tuple[str, int, int]], by: str
) -> None:
    def ask(mode: str, lines: list[tuple[str, int, int]]) -> Effect:
        return effect("threshold_gift", {"by": by, "mode": mode, "tiers": tiers}, *lines)

    best, cumulative = granted(ask("best", rows)), granted(ask("cumulative", rows))
    assert all(cumulative.get(sku, 0) >= quantity for sku, quantity in best.items())
    for mode in ("best", "cumulative"):
        following = ask(mode, rows).next
        if following is not None:
            more = (
                ("more", following.spend_more or 0, 1) if by == "amount" else ("more", 1, following.buy_more or 0)
            )
            then = ask(mode, [*rows, more])
            assert granted(then) == pieces(following.gifts)
            assert then.tier == (ask(mode, rows).tier or 0) + (1 if ask(mode, rows).reached else 0)


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(1, 300), rows=carts, most=st.none() | st.integers(1, 6), by=st.sampled_from(["amount", "count"])
)
def test_every_gives_the_whole_multiples(
    at: int, rows: list[tuple[str, int, int]], most: int | None, by: str
) -> None:
    rule = {"by": by, "mode": "every", "tiers": [{"at": at, "gifts": [{"sku": "mug"}]}], "max": most}
    value = sum(quantity * (price if by == "amount" else 1) for _, price, quantity in rows)
    times = value // at if most is None else min(value // at, most)
    assert granted(effect("threshold_gift", rule, *rows)).get("mug", 0) == times

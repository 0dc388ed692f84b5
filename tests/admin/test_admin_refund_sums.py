"""Given any order and any refunds of it, in any number and order, what goes back adds up to the last cent."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.payments import amounts, earned
from admin.payments.contents import Contents, Part
from admin.promotions.campaign import Campaign
from admin.promotions.effects import Gift, Grant
from admin.promotions.kept_gifts import KeptUnits, _covered, _rights, not_earned
from tests.promotions.random_shops import Drawn, ask, draw
from tests.promotions.worlds import campaign

PRICES = {"kettle": 10000, "lamp": 5000, "mug": 1900, "spoon": 500, "bag": 900}


def contents_of(drawn_cart: Drawn, reply: Mapping[str, Any]) -> Contents:
    """The order that a quote comes to."""
    price = {sku: product.price for sku, product in drawn_cart.world.products.items()}
    reached = {group["campaign"] for group in reply["groups"] if group["tier"] is not None}
    goods = [each for each in reply["lines"] if each["state"] == "ok"]
    rows = [("goods", each, each["unit_payables"]) for each in goods]
    rows += [("add_on", each, [each["unit_price"]] * each["quantity"]) for each in reply["add_ons"]]
    rows += [("gift", each, [0] * each["quantity"]) for each in reply["gifts"]]
    parts, first = [], 1
    for line, (kind, each, payables) in enumerate(rows, 1):
        numbers = range(first, first + each["quantity"])
        first = numbers.stop
        code = each["campaign"] if each["campaign"] in reached else None
        parts.append(
            Part(
                line=line,
                kind=kind,
                sku=each["sku"],
                numbers=numbers,
                payables=payables,
                base_price=price[each["sku"]],
                unit_price=each["unit_price"],
                campaign=code,
                discount=each.get("discount", 0),
            )
        )
    return Contents(parts, frozenset())


def orders() -> list[tuple[Contents, Mapping[str, Campaign]]]:
    """Orders of random carts that campaigns gave something to."""
    found = []
    for number in range(500):
        each = draw(f"refunds {number}")
        reply = ask(each)
        if any(line["state"] in {"unavailable", "short_stock"} for line in reply["lines"]):
            # Nobody can order it.
            continue
        order = contents_of(each, reply)
        if any(part.campaign is not None for part in order.parts):
            found.append((order, {campaign.code: campaign for campaign in each.campaigns}))
    return found


ORDERS = orders()


def test_the_random_orders_have_gifts_add_ons_and_discounts() -> None:
    kinds = Counter(part.kind for order, _ in ORDERS for part in order.parts)
    assert min(kinds["gift"], kinds["goods"]) > 50
    assert kinds["add_on"] > 10
    assert sum(part.discount > 0 for order, _ in ORDERS for part in order.parts) > 20


def worth(order: Contents, rules: Mapping[str, Campaign]) -> int:
    return sum(each["value"] for each in earned.unearned(order, rules))


def test_whoever_keeps_everything_has_earned_all_gifts() -> None:
    assert [earned.unearned(order, rules) for order, rules in ORDERS] == [[] for _ in ORDERS]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_refunds_in_any_pieces_add_up(data: st.DataObject) -> None:
    order, rules = data.draw(st.sampled_from(ORDERS))
    total = order.cost(order.held())
    given_away = Counter[str]()
    for part in order.parts:
        if part.kind == "add_on" and part.campaign:
            given_away[part.campaign] += (part.base_price - part.unit_price) * len(part.numbers)
        elif part.campaign and part.kind == "goods":
            given_away[part.campaign] += part.discount
    back, held_back, highest, budgets = 0, 0, 0, Counter[str]()
    left = data.draw(st.permutations(order.held()))
    while left:
        count = data.draw(st.integers(1, len(left)))
        units, left = sorted(left[:count]), left[count:]
        after = order.without(units)
        kept = earned.unearned(after, rules)
        what = amounts.owed(order, units, kept, back)
        highest = max(highest, after.cost(after.gone) - worth(after, rules))
        budget = amounts.reductions(after)
        budget.subtract(amounts.reductions(order))
        assert min(budget.values(), default=0) >= 0
        budgets.update(budget)
        order, back, held_back = after, back + what.amount, held_back + what.held_back
        # As much as was ever due, and never more than what came back has cost.
        assert back == highest
        assert (back + held_back, held_back >= 0) == (order.cost(order.gone), True)
    # Once everything is back, gifts too, all money is, and all that was given away.
    assert (back, held_back) == (total, 0)
    assert +budgets == +given_away


@pytest.mark.parametrize(
    ("payables", "discount", "gone", "back"),
    [
        ([972] * 7 + [973] * 2, 250, {1, 2, 3, 4}, 112),
        ([972] * 7 + [973] * 2, 250, {8}, 27),
        ([900, 900, 1000], 200, {3}, 0),
        ([850, 850], 200, {2}, 100),
        ([308, 309, 309], 1500, {1, 3}, 1000),
        ([1000, 1000], 0, {1}, 0),
        ([0, 0], 0, {1, 2}, 0),
    ],
    ids=[
        "whole_cents",
        "the_smaller_share",
        "beyond_the_sets",
        "a_coupon_too",
        "a_coupon_too_in_odd_cents",
        "no_discount",
        "all_by_coupon",
    ],
)
def test_a_discount_comes_back_as_its_units_had_it(
    payables: Sequence[int], discount: int, gone: set[int], back: int
) -> None:
    part = Part(1, "goods", "kettle", range(1, len(payables) + 1), payables, 1000, 1000, "off", discount)
    assert amounts.reductions(Contents([part], frozenset(gone)))["off"] == back


@given(
    paid=st.lists(st.integers(0, 10**12), max_size=3),
    wanted=st.lists(st.integers(0, 10**12), min_size=1, max_size=5),
)
def test_money_goes_back_through_the_payments_that_it_came_by(paid: Sequence[int], wanted: Sequence[int]) -> None:
    left = {f"pay{place}": amount for place, amount in enumerate(paid)}
    for amount in wanted:
        if amount > sum(left.values()):
            with pytest.raises(ValueError, match="more than was paid"):
                amounts.divide(amount, left.items())
            continue
        parts = amounts.divide(amount, left.items())
        assert sum(part for _, part in parts) == amount
        for place, (payment, part) in enumerate(parts):
            left[payment] -= part
            assert part > 0
            assert left[payment] >= 0
            # The next is asked only when this one is used up.
            assert place == len(parts) - 1 or left[payment] == 0


def kept(units: Mapping[str, int], gifts: Mapping[str, int], rule: Campaign) -> dict[str, int]:
    rows = [KeptUnits(line, sku, count, PRICES[sku]) for line, (sku, count) in enumerate(units.items(), 1)]
    return not_earned(rule, rows, gifts, PRICES)


def rows_of(*skus: str) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": 1} for sku in skus]


def by_amount(*tiers: dict[str, Any], **more: Any) -> Campaign:
    return campaign("threshold_gift", {"by": "amount", "tiers": list(tiers), **more}, scope="all")


def by_count(*tiers: dict[str, Any], **more: Any) -> Campaign:
    return campaign("threshold_gift", {"by": "count", "tiers": list(tiers), **more}, scope="all")


EVERY_TWO = by_count({"at": 2, "gifts": rows_of("mug")}, mode="every", max=3)
LADDER = by_amount({"at": 10000, "gifts": rows_of("spoon")}, {"at": 20000, "gifts": rows_of("mug")}, mode="best")
BOTH = by_amount(
    {"at": 10000, "gifts": rows_of("spoon", "bag"), "choose": 1},
    {"at": 20000, "gifts": rows_of("spoon")},
    mode="cumulative",
)
CHOOSE_TWO = by_amount({"at": 10000, "gifts": rows_of("mug", "spoon", "bag"), "choose": 2}, mode="best")
SAME = by_count({"at": 2, "gifts": [{"same_item": True, "quantity": 1}]}, mode="best")
PER_TWO = campaign("item_gift", {"gifts": [{"sku": "mug", "quantity": 2}], "per": 2, "max": 2}, scope="all")


@pytest.mark.parametrize(
    ("rule", "units", "gifts", "lost"),
    [
        pytest.param(LADDER, {"kettle": 2}, {"mug": 1}, {}, id="reached exactly"),
        pytest.param(
            LADDER, {"kettle": 1, "lamp": 1}, {"mug": 1}, {"mug": 1}, id="a lower step gives something else"
        ),
        pytest.param(LADDER, {"lamp": 1}, {"mug": 1}, {"mug": 1}, id="nothing is reached"),
        pytest.param(LADDER, {}, {"mug": 1}, {"mug": 1}, id="nothing stays"),
        pytest.param(EVERY_TWO, {"lamp": 8}, {"mug": 3}, {}, id="more than the most"),
        pytest.param(EVERY_TWO, {"lamp": 5}, {"mug": 3}, {"mug": 1}, id="one time less"),
        pytest.param(EVERY_TWO, {"lamp": 5}, {"mug": 2}, {}, id="one time less, and that one is back"),
        pytest.param(PER_TWO, {"lamp": 3}, {"mug": 4}, {"mug": 2}, id="two for each two"),
        pytest.param(PER_TWO, {"lamp": 6}, {"mug": 4}, {}, id="above the most nothing is lost"),
        pytest.param(CHOOSE_TWO, {"kettle": 1}, {"mug": 1, "bag": 1}, {}, id="two of three"),
        pytest.param(CHOOSE_TWO, {"kettle": 1}, {"mug": 2}, {}, id="the same twice"),
        pytest.param(BOTH, {"kettle": 2}, {"spoon": 2}, {}, id="both steps"),
        pytest.param(BOTH, {"kettle": 2}, {"bag": 1, "spoon": 1}, {}, id="both steps, one each"),
        pytest.param(BOTH, {"kettle": 1}, {"bag": 1, "spoon": 1}, {"spoon": 1}, id="the dearer one stays earned"),
        pytest.param(SAME, {"lamp": 2}, {"lamp": 1}, {}, id="one more of the same"),
        pytest.param(SAME, {"kettle": 1, "lamp": 1}, {"lamp": 1}, {}, id="of one of those that joined"),
        pytest.param(SAME, {"kettle": 2}, {"lamp": 1}, {"lamp": 1}, id="of one that did not stay"),
    ],
)
def test_gifts_are_earned_by_what_stays(
    rule: Campaign, units: dict[str, int], gifts: dict[str, int], lost: dict[str, int]
) -> None:
    assert kept(units, gifts, rule) == lost


grants = st.lists(
    st.builds(
        lambda options, choose, times: Grant(tuple(Gift(sku, 1) for sku in options), choose, times),
        st.lists(st.sampled_from(["mug", "spoon", "bag"]), min_size=1, max_size=3, unique=True),
        st.sampled_from([None, 1, 2]),
        st.integers(1, 2),
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(
    grants=grants, gifts=st.dictionaries(st.sampled_from(["mug", "spoon", "bag"]), st.integers(1, 3), min_size=1)
)
def test_of_what_may_be_picked_the_dearest_is_earned(grants: list[Grant], gifts: dict[str, int]) -> None:
    covered = _covered(_rights(grants), gifts, PRICES)
    picks = [sku for sku, count in gifts.items() for _ in range(count)]
    slots = [right.options.keys() for right in _rights(grants) for _ in range(right.room)]
    best = _best(tuple(picks), slots)
    assert sum(PRICES[sku] * count for sku, count in covered.items()) == best


def _best(picks: tuple[str, ...], slots: Sequence[Any]) -> int:
    """The most that can be covered, by trying: slots are filled one after the other, or left empty."""
    reach = {picks: 0}
    for slot in slots:
        further: dict[tuple[str, ...], int] = dict(reach)
        for left, value in reach.items():
            for place, sku in enumerate(left):
                if sku in slot:
                    rest = (*left[:place], *left[place + 1 :])
                    further[rest] = max(further.get(rest, 0), value + PRICES[sku])
        reach = further
    return max(itertools.chain(reach.values()))

"""Given a cart that may join campaigns in many ways, the best one is found, and what is not certain is said."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from admin.promotions import search
from admin.promotions.cart import Cart
from admin.promotions.effects import Group, Line
from admin.promotions.pricing import effect_of
from admin.promotions.quoting import Quoting
from admin.promotions.search import Found
from admin.promotions.searching import proof
from admin.promotions.world import World
from tests.promotions import bench_search, random_shops
from tests.promotions.brute_force import found_in, hold, ways
from tests.promotions.dense_shops import LINES, PRICES, RULES, dense, small_shops
from tests.promotions.random_shops import draw
from tests.promotions.worlds import campaign, cart, coupon, quote, world

SHOPS = 150
"""Random carts of each kind that are held against brute force."""


def each_holds(seeds: range, **facts: Any) -> list[Found]:
    """Hold every dense cart of some seeds against brute force."""
    found = []
    for seed in seeds:
        wanted, shop = dense(seed)
        try:
            found.append(hold(wanted, replace(shop, **facts)))
        except AssertionError as error:
            raise AssertionError(f"dense({seed}) with {facts}") from error
    return found


@pytest.mark.parametrize("part", range(4))
def test_the_best_is_what_brute_force_finds_with_every_type_coupon_limit_and_shortage(part: int) -> None:
    found = each_holds(range(part * SHOPS, (part + 1) * SHOPS))
    assert sum(each.proved for each in found) >= 0.99 * SHOPS


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_the_best_is_what_brute_force_finds_in_thousands_of_shops(part: int) -> None:
    found = each_holds(range(100_000 + part * 3000, 100_000 + (part + 1) * 3000))
    assert sum(each.proved for each in found) >= 0.99 * 3000


def test_with_few_nodes_the_gap_says_how_far_off_it_may_be() -> None:
    counts = Counter[str]()
    for nodes in (0, 1, 4, 9, 16, 30, 60):
        for each in each_holds(range(5_000 + 50 * nodes, 5_030 + 50 * nodes), nodes_max=nodes):
            counts["proved" if each.proved else "unknown" if each.gap == each.total else "bounded"] += 1
    assert min(counts["proved"], counts["unknown"], counts["bounded"]) > 5, counts


@pytest.mark.parametrize("seed", range(0, 400, 100))
def test_the_best_is_what_brute_force_finds_in_shops_with_everything_that_keeps_campaigns_away(seed: int) -> None:
    for number in range(seed, seed + 70):
        drawn = draw(number)
        if ways(Quoting(drawn.cart, drawn.world)) <= 400:
            hold(drawn.cart, drawn.world)


def test_the_best_is_the_same_when_outcomes_are_looked_up_from_the_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proof, "DUG", 0)
    each_holds(range(20_000, 20_000 + SHOPS))


@pytest.mark.parametrize(("kind", "seed"), [("same_four", 7), ("same_four", 157), ("ladders_and_prices", 118)])
def test_a_proof_that_runs_out_of_nodes_says_so_and_its_gap_holds(kind: str, seed: int) -> None:
    coupons = bench_search.in_the_way if kind == "same_four" else bench_search.reached
    quoting = bench_search.shop(seed, getattr(bench_search, kind), coupons)
    proved = search.best(quoting.pricing, quoting.default, quoting.usable())
    assert proved.proved
    quoting.pricing.world = replace(quoting.world, nodes_max=2_400 if kind == "same_four" else 1_000)
    found = search.best(quoting.pricing, quoting.default, quoting.usable())
    assert not found.proved
    assert found.total - found.gap <= proved.total <= found.total


@given(small_shops())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_best_is_what_brute_force_finds_in_shops_that_can_be_read(drawn: tuple[Cart, World]) -> None:
    hold(*drawn)


@pytest.mark.parametrize("seed", range(60))
def test_best_is_at_most_priority_is_at_most_the_base_total_without_a_coupon(seed: int) -> None:
    drawn = draw(f"order {seed}", plain=True)
    asked = {**drawn.cart.model_dump(exclude_unset=True), "coupon": None}
    default, best, hinted = (
        quote(Cart.model_validate({**asked, **how}), drawn.world)
        for how in ({"strategy": "priority"}, {"strategy": "best"}, {"strategy": "priority", "suggest": True})
    )
    added = sum(each["payable"] for each in default["add_ons"])
    assert best["total"] <= default["total"] <= default["subtotal"] + added
    assert default["search"] is None
    assert best["search"] == hinted["search"]
    if best["total"] < default["total"]:
        assert hinted["better"]["total"] == best["total"]
        assert hinted["better"]["saves"] == default["total"] - best["total"]
        assert hinted["better"]["changes"]
    else:
        assert hinted["better"] is None


@pytest.mark.parametrize("kind", ["same_four", "four_of_twelve", "ladders_and_prices"])
@pytest.mark.parametrize("coupons", ["no_coupon", "reached", "in_the_way", "of_items"])
def test_eight_lines_with_four_choices_each_are_proved_within_the_bound(kind: str, coupons: str) -> None:
    for seed in range(4):
        quoting = bench_search.shop(seed, getattr(bench_search, kind), getattr(bench_search, coupons))
        found = search.best(quoting.pricing, quoting.default, quoting.usable())
        assert found.proved
        assert found.total == quoting.price(found.assignment).total <= quoting.price(quoting.default).total


def ladders(lines: int, campaigns: int, seed: int) -> tuple[Cart, World]:
    """Lines that may all join the same ladders."""
    dice = random.Random(f"ladders {lines} {campaigns} {seed}")
    prices = {f"s{number}": dice.randint(1_000, 30_000) for number in range(lines)}
    steps = [bench_search.ladder(dice, f"c{number}", scope="all") for number in range(campaigns)]
    chosen = coupon(threshold=sum(prices.values()) * 8 // 10, amount_off=5_000)
    return cart(dict.fromkeys(prices, 1), coupon="SAVE"), world(*steps, prices=prices, coupon=chosen)


@pytest.mark.parametrize("seed", range(4))
def test_a_cart_too_wide_for_the_bound_is_improved_and_its_gap_holds(seed: int) -> None:
    wanted, shop = ladders(7, 3, seed)
    quoting, proved = found_in(wanted, shop)
    assert proved.proved
    _, found = found_in(wanted, replace(shop, nodes_max=500))
    assert not found.proved
    assert found.total - found.gap <= proved.total <= found.total <= quoting.price(quoting.default).total


def test_a_wide_cart_is_not_left_at_its_default() -> None:
    wanted, shop = ladders(40, 4, 1)
    quoting, found = found_in(wanted, shop)
    assert not found.proved
    assert found.total == quoting.price(found.assignment).total < quoting.price(quoting.default).total
    assert 0 < found.gap <= found.total


def test_the_same_question_has_the_same_answer() -> None:
    for seed in range(50):
        for nodes in (7, 12_000):
            wanted, shop = dense(seed)
            shop = replace(shop, nodes_max=nodes)
            assert found_in(wanted, shop)[1] == found_in(wanted, shop)[1]


@pytest.mark.parametrize("name", sorted(RULES))
def test_more_lines_never_get_less_in_all(name: str) -> None:
    """What the bound of a wide cart rests on."""
    dice = random.Random(f"more {name}")
    for _ in range(150):
        rule = (RULES if dice.random() < 0.5 else random_shops.RULES)[name](dice)
        skus = dice.sample((*LINES, *random_shops.SKUS[5:]), 4)
        group = campaign(name, rule, items=[{"sku": sku} for sku in skus])
        assert group.type is not None
        lines = [Line(n, sku, dice.randint(1, 3), dice.choice(PRICES)) for n, sku in enumerate(skus, 1)]
        lines = [
            each
            for each in lines
            if group.type.refuses(group.rule, group.items[each.sku], each.price, each.quantity) is None
        ]
        if not lines:
            continue
        some = sorted(dice.sample(lines, dice.randint(1, len(lines))), key=lambda line: line.number)
        assert effect_of(group, Group(tuple(some))).discount <= effect_of(group, Group(tuple(lines))).discount

"""Given a cart that may join campaigns in many ways, the best one is found, and what is not certain is said."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions import search
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.effects import Group, Line
from admin.promotions.pricing import Assignment, Priced, effect_of
from admin.promotions.quoting import Quoting
from admin.promotions.search import Found
from admin.promotions.searching import proof
from admin.promotions.world import Left, Product, World
from tests.promotions import bench_search, random_shops
from tests.promotions.random_shops import draw
from tests.promotions.worlds import campaign, cart, coupon, quote, world

LINES = "abcde"
GIFTS = ("mug", "pen")
OPTIONS = ("towel", "mug")
PRICES = (100, 333, 500, 500, 999, 1000, 1500, 2000)
SHOPS = 200
"""Random carts of each kind that are held against brute force."""

Key = tuple[int, int, int, tuple[int, ...]]


def code_of(campaign: Campaign | None) -> str | None:
    return None if campaign is None else campaign.code


def kept(priced: Priced) -> Counter[tuple[str, str, int]]:
    return Counter((each.campaign, each.sku, each.quantity) for each in priced.added.entries)


def key_of(quoting: Quoting, assignment: Assignment, priced: Priced) -> Key:
    """How assignments compare: total, value of gifts, changes from the default, then rank by rank."""
    products = quoting.world.products
    gifts = sum(
        products[sku].price * pieces for each in priced.gifts.values() for sku, pieces in each.pieces.items()
    )
    changes = sum(code_of(a) != code_of(b) for a, b in zip(assignment, quoting.default, strict=True))
    ranks = tuple(
        [code_of(each) for each in choices].index(code_of(chosen))
        for choices, chosen in zip(quoting.usable(), assignment, strict=True)
    )
    return priced.total, -gifts, changes, ranks


def allowed(quoting: Quoting, priced: Priced, before: Priced) -> bool:
    within = all(not quoting.pricing.over_limit(each, priced.added) for each in priced.joined.values())
    return within and not kept(before) - kept(priced)


def brute_force(quoting: Quoting) -> Key:
    """The least key of all assignments that are allowed."""
    before = quoting.price(quoting.default)
    keys = []
    for assignment in itertools.product(*quoting.usable()):
        priced = quoting.price(assignment)
        if allowed(quoting, priced, before):
            keys.append(key_of(quoting, assignment, priced))
    return min(keys)


def found_in(wanted: Cart, shop: World) -> tuple[Quoting, Found]:
    quoting = Quoting(wanted, shop)
    return quoting, search.best(quoting.pricing, quoting.default, quoting.usable())


def hold(wanted: Cart, shop: World) -> Found:
    """Hold what the search finds against brute force."""
    quoting, found = found_in(wanted, shop)
    best = brute_force(quoting)
    priced = quoting.price(found.assignment)
    default = quoting.price(quoting.default)
    assert found.total == priced.total <= default.total
    assert allowed(quoting, priced, default)
    assert all(each in choices for each, choices in zip(found.assignment, quoting.usable(), strict=True))
    assert 0 <= found.total - best[0] <= found.gap
    if found.proved:
        assert found.gap == 0
        assert key_of(quoting, found.assignment, priced) == best
    return found


def ways(quoting: Quoting) -> int:
    count = 1
    for each in quoting.usable():
        count *= len(each)
    return count


def tiers(dice: random.Random, *amounts: int) -> list[int]:
    return sorted(dice.sample(amounts, dice.randint(1, 2)))


def _gift_rows(dice: random.Random) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": dice.randint(1, 2)} for sku in dice.sample((*GIFTS, "a"), dice.randint(1, 2))]


def _reduction(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.4:
        off = dice.choice((50, 100, 500))
        return {"mode": "every", "spend": 500, "off": off, "cap": dice.choice((None, 2 * off))}
    return {"mode": "tiers", "tiers": [{"spend": at, "off": at // 5} for at in tiers(dice, 500, 1000, 2000, 3000)]}


def _discount(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.5:
        return {"by": "count", "tiers": [{"at": at, "percent_off": 10 * at} for at in tiers(dice, 1, 2, 3, 5)]}
    return {
        "by": "amount",
        "tiers": [{"at": at, "percent_off": at // 100} for at in tiers(dice, 500, 1000, 2000, 3500)],
    }


def _item(dice: random.Random) -> dict[str, Any]:
    return dice.choice(({"percent_off": 10}, {"percent_off": 33.33}, {"amount_off": 99}, {"price": 400}))


def _bundle(dice: random.Random) -> dict[str, Any]:
    parts = dice.sample(LINES, dice.randint(2, 3))
    return {"price": dice.choice((300, 1200)), "components": [{"sku": sku, "quantity": 1} for sku in parts]}


def _item_gift(dice: random.Random) -> dict[str, Any]:
    return {"gifts": _gift_rows(dice), "per": dice.randint(1, 2), "max": dice.choice((None, 2))}


def _threshold_gift(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.3:
        return {"by": "count", "mode": "every", "tiers": [{"at": 2, "gifts": [{"same_item": True, "quantity": 1}]}]}
    rows = []
    for at in tiers(dice, 500, 1000, 2000):
        gifts = _gift_rows(dice)
        rows.append({"at": at, "gifts": gifts, **({"choose": 1} if dice.random() < 0.5 else {})})
    return {"by": "amount", "mode": dice.choice(("best", "cumulative")), "tiers": rows}


def _add_on(dice: random.Random) -> dict[str, Any]:
    return {
        "tiers": [
            {"spend": at, "options": [{"sku": sku, "price": 50 + at // 50, "limit": 2} for sku in OPTIONS]}
            for at in tiers(dice, 1, 500, 1500)
        ]
    }


RULES = {
    "threshold_reduction": _reduction,
    "threshold_discount": _discount,
    "item_discount": _item,
    "bundle": _bundle,
    "item_gift": _item_gift,
    "threshold_gift": _threshold_gift,
    "add_on": _add_on,
}


def _coupon_terms(dice: random.Random) -> dict[str, Any]:
    terms: dict[str, Any] = dict(
        dice.choice(
            (
                {"amount_off": 300},
                {"amount_off": 10_000},
                {"percent_off": 20},
                {"percent_off": 99},
                {"percent_off": 30, "cap": 250},
            )
        )
    )
    terms["threshold"] = dice.choice((0, 800, 1500, 2500, 4000))
    scope = dice.choice(("all", "all", "items", "category"))
    if scope == "items":
        terms |= {"scope": scope, "items": dice.sample(LINES, 2)}
    if scope == "category":
        terms |= {"scope": scope, "categories": ["cups"]}
    return terms


def _left(dice: random.Random) -> Left:
    return dice.choice((Left(total=1), Left(total=2), Left(budget=300), Left(budget=1), Left(per_shopper=3)))


def dense(seed: int, types: tuple[str, ...] = tuple(RULES)) -> tuple[Cart, World]:
    """A cart whose lines may all join most campaigns, at prices that make ties and thresholds met exactly."""
    dice = random.Random(f"dense {seed}")
    skus = LINES[: dice.randint(1, 5)]
    campaigns: dict[str, Campaign] = {}
    for number in range(dice.randint(1, 4)):
        name = dice.choice(types)
        rule = RULES[name](dice)
        scope: dict[str, Any] = {"scope": "all"}
        if name == "bundle":
            scope = {"items": [each["sku"] for each in rule["components"]]}
        elif dice.random() < 0.4:
            scope = {"items": dice.sample(LINES, dice.randint(1, 4))}
        campaigns[f"c{number}"] = campaign(
            name,
            rule,
            code=f"c{number}",
            priority=dice.randint(0, 2),
            coupons_allowed=dice.random() < 0.8,
            **scope,
        )
    prices = {sku: dice.choice(PRICES) for sku in (*LINES, *GIFTS, *OPTIONS)}
    short = {sku: dice.choice((0, 1, 2)) for sku in prices if sku not in LINES and dice.random() < 0.4}
    with_coupon = dice.random() < 0.5
    shop = world(
        *campaigns.values(),
        products=[Product(sku, price, ("cups",) if dice.random() < 0.5 else ()) for sku, price in prices.items()],
        free=short,
        left={code: _left(dice) for code in campaigns if dice.random() < 0.15},
        coupon=coupon(**_coupon_terms(dice)) if with_coupon else None,
    )
    lines = [
        {
            "sku": sku,
            "quantity": dice.choice((1, 1, 2)),
            **({"campaign": dice.choice((None, "c0"))} if dice.random() < 0.1 else {}),
            **({"selected": False} if dice.random() < 0.05 else {}),
        }
        for sku in skus
    ]
    chosen: dict[str, Any] = {
        "add_ons": [
            {"campaign": code, "sku": sku, "quantity": dice.randint(1, 2)}
            for code, each in campaigns.items()
            if each.type_name == "add_on"
            for sku in OPTIONS
            if dice.random() < 0.7
        ],
        "gifts": {code: dice.choices(GIFTS, k=dice.randint(0, 2)) for code in campaigns if dice.random() < 0.2},
    }
    return cart(lines, **chosen, **({"coupon": "SAVE"} if with_coupon else {})), shop


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
        for each in each_holds(range(5_000 + 50 * nodes, 5_050 + 50 * nodes), nodes_max=nodes):
            counts["proved" if each.proved else "unknown" if each.gap == each.total else "bounded"] += 1
    assert min(counts["proved"], counts["unknown"], counts["bounded"]) > 10, counts


@pytest.mark.parametrize("seed", range(0, 400, 100))
def test_the_best_is_what_brute_force_finds_in_shops_with_everything_that_keeps_campaigns_away(seed: int) -> None:
    for number in range(seed, seed + 100):
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


def test_gifts_for_which_many_lines_compete_are_not_proved_with_few_nodes() -> None:
    gift = {"gifts": [{"sku": "mug"}]}
    pairs = [(sku, code) for sku in LINES for code in ("x", "y")]
    shop = world(
        *(campaign("item_gift", gift, code=f"{sku}{code}", items=[sku]) for sku, code in pairs),
        prices={**dict.fromkeys(LINES, 500), "mug": 200},
        free={"mug": 2},
        nodes_max=300,
    )
    wanted = cart([(sku, 1, None) if sku == "e" else (sku, 1) for sku in LINES])
    assert not hold(wanted, shop).proved
    assert hold(wanted, replace(shop, nodes_max=10_000)).proved


def test_an_add_on_that_two_campaigns_want_is_counted_once() -> None:
    options = [{"sku": "towel", "price": 90, "limit": 1}]
    shop = world(
        *(
            campaign("add_on", {"tiers": [{"spend": 1, "options": options}]}, code=f"plus-{sku}", items=[sku])
            for sku in "ab"
        ),
        prices={"a": 500, "b": 500, "towel": 150},
        free={"towel": 1},
    )
    chosen = [{"campaign": f"plus-{sku}", "sku": "towel"} for sku in "ab"]
    found = hold(cart({"a": 1, "b": 1}, add_ons=chosen), shop)
    assert [code_of(each) for each in found.assignment] == ["plus-a", "plus-b"]
    assert found.proved
    assert hold(cart({"a": 1, "b": 1}, add_ons=chosen), replace(shop, free={**shop.free, "towel": 2})).total == 1180


MENU: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("item_discount", {"amount_off": 100}),
    ("item_discount", {"percent_off": 20}),
    ("threshold_reduction", {"mode": "tiers", "tiers": [{"spend": 1000, "off": 300}]}),
    ("threshold_reduction", {"mode": "every", "spend": 500, "off": 80}),
    ("threshold_discount", {"by": "count", "tiers": [{"at": 2, "percent_off": 15}, {"at": 3, "percent_off": 30}]}),
    ("threshold_gift", {"by": "amount", "tiers": [{"at": 500, "gifts": [{"sku": "mug"}]}]}),
    ("item_gift", {"gifts": [{"sku": "mug"}, {"sku": "pen"}], "per": 2}),
    ("add_on", {"tiers": [{"spend": 1000, "options": [{"sku": "towel", "price": 90, "limit": 1}]}]}),
)
COUPONS: tuple[Mapping[str, Any] | None, ...] = (
    None,
    {"amount_off": 300, "threshold": 1500},
    {"percent_off": 25, "threshold": 1000},
    {"percent_off": 40, "cap": 300, "scope": "items", "items": ["a", "c"], "threshold": 600},
)


@st.composite
def small_shops(draw: st.DrawFn) -> tuple[Cart, World]:
    """The same kind of shops, drawn so that a failure shrinks to a cart one can read."""
    prices = draw(st.lists(st.sampled_from((500, 333, 1000, 999)), min_size=1, max_size=4))
    skus = LINES[: len(prices)]
    picked = draw(st.lists(st.sampled_from(MENU), min_size=1, max_size=4))
    campaigns = [
        campaign(
            name,
            rule,
            code=f"c{number}",
            priority=draw(st.integers(0, 2)),
            coupons_allowed=draw(st.booleans()),
            items=draw(st.lists(st.sampled_from(skus), min_size=1, unique=True)),
        )
        for number, (name, rule) in enumerate(picked)
    ]
    terms = draw(st.sampled_from(COUPONS))
    shop = world(
        *campaigns,
        prices={**dict(zip(skus, prices, strict=True)), "mug": 200, "pen": 50, "towel": 150},
        free={"mug": draw(st.integers(0, 3))},
        coupon=None if terms is None else coupon(**terms),
        left={"c0": draw(st.sampled_from((Left(), Left(total=1), Left(budget=250), Left(total=2))))},
    )
    add_ons = [{"campaign": each.code, "sku": "towel"} for each in campaigns if each.type_name == "add_on"]
    quantities = draw(st.lists(st.integers(1, 2), min_size=len(skus), max_size=len(skus)))
    with_coupon = {} if terms is None else {"coupon": "SAVE"}
    return cart(list(zip(skus, quantities, strict=True)), add_ons=add_ons, **with_coupon), shop


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


TOGETHER = {"mode": "tiers", "tiers": [{"spend": 1000, "off": 300}]}


def changed(reply: Mapping[str, Any]) -> list[str | None]:
    return [line["campaign"] for line in reply["lines"]]


def test_of_equal_totals_the_one_with_more_valuable_gifts_wins() -> None:
    shop = world(
        campaign("item_gift", {"gifts": [{"sku": "pen"}]}, code="pens", priority=2),
        campaign("item_gift", {"gifts": [{"sku": "mug"}]}, code="mugs", priority=1),
        prices={"kettle": 1000, "pen": 50, "mug": 200},
    )
    assert changed(quote({"kettle": 1}, shop, strategy="best")) == ["mugs"]
    assert changed(quote({"kettle": 1}, replace(shop, free={"kettle": 9, "pen": 9}), strategy="best")) == ["pens"]


def test_of_equal_totals_and_gifts_the_one_with_fewer_changes_wins() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="one", priority=2, items=["a", "b"]),
        campaign("item_discount", {"amount_off": 100}, code="two", priority=1, items=["a", "b"]),
        prices={"a": 1000, "b": 1000},
    )
    assert changed(quote({"a": 1, "b": 1}, shop, strategy="best")) == ["one", "one"]


def test_a_chosen_add_on_is_not_lost_for_a_lower_total() -> None:
    options = [{"sku": "towel", "price": 90, "limit": 1}]
    shop = world(
        campaign("add_on", {"tiers": [{"spend": 500, "options": options}]}, code="plus", priority=2),
        campaign("item_discount", {"amount_off": 400}, code="less", priority=1),
        prices={"kettle": 1000, "towel": 150},
    )
    chosen = [{"campaign": "plus", "sku": "towel"}]
    assert changed(quote({"kettle": 1}, shop, strategy="best")) == ["less"]
    assert changed(quote({"kettle": 1}, shop, strategy="best", add_ons=chosen)) == ["plus"]


def test_a_dearer_choice_wins_when_only_it_reaches_the_threshold_of_the_coupon() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 200}, code="less"),
        prices={"kettle": 1000},
        coupon=coupon(amount_off=500, threshold=900),
    )
    reply = quote({"kettle": 1}, shop, strategy="best", coupon="SAVE")
    assert (changed(reply), reply["total"], reply["search"]) == ([None], 500, {"proved": True, "gap": 0})


def test_lines_gather_in_one_campaign_when_only_together_they_reach_it() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="each", priority=2, items=["a", "b"]),
        campaign("threshold_reduction", TOGETHER, code="both", priority=1, items=["a", "b"]),
        prices={"a": 500, "b": 500},
    )
    best = quote({"a": 1, "b": 1}, shop, strategy="best")
    assert (changed(best), best["total"]) == (["both", "both"], 700)
    pinned = quote([("a", 1, "each"), ("b", 1)], shop, strategy="best")
    assert (changed(pinned), pinned["total"]) == (["each", "each"], 800)


def test_no_group_takes_more_of_a_campaign_than_is_left() -> None:
    shop = world(
        campaign("item_discount", {"amount_off": 100}, code="each", priority=2, items=["a", "b"]),
        campaign("threshold_reduction", TOGETHER, code="both", priority=1, items=["a", "b"]),
        prices={"a": 500, "b": 500},
        left={"both": Left(budget=299)},
    )
    assert changed(quote({"a": 1, "b": 1}, shop, strategy="best")) == ["each", "each"]


def test_a_gift_that_two_campaigns_want_is_counted_once() -> None:
    """Apart, `mugs` and `cups` would both give the only mug; the pens are then worth more."""
    shop = world(
        campaign("item_gift", {"gifts": [{"sku": "mug"}]}, code="mugs", priority=3, items=["a"]),
        campaign("item_gift", {"gifts": [{"sku": "mug"}]}, code="cups", priority=2, items=["b"]),
        campaign("item_gift", {"gifts": [{"sku": "pen"}]}, code="pens", priority=1, items=["b"]),
        prices={"a": 500, "b": 500, "mug": 200, "pen": 50},
        free={"mug": 1},
    )
    assert changed(quote({"a": 1, "b": 1}, shop, strategy="best")) == ["mugs", "pens"]
    assert changed(quote({"a": 1, "b": 1}, replace(shop, free={**shop.free, "mug": 2}), strategy="best")) == [
        "mugs",
        "cups",
    ]

"""Given thousands of random shops and carts, what must be true of every quote is true of each."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions.audience import refuses
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.effects import Group, Line
from admin.promotions.world import Product
from tests.promotions.random_shops import SEED, Drawn, ask, draw, drawn
from tests.promotions.worlds import NOW_MS, as_bytes, campaign, quote

MANY = 700
SOME = 300


def with_lines(cart: Cart, lines: list[Any]) -> Cart:
    return cart.model_copy(update={"lines": lines})


def test_every_sum_is_exact() -> None:
    for seed, each in drawn("sums", MANY):
        try:
            ask(each)
        except AssertionError as error:
            raise AssertionError(seed) from error


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**9), plain=st.booleans())
def test_every_sum_is_exact_wherever_one_looks(seed: int, plain: bool) -> None:
    ask(draw(seed, plain=plain))


def test_asking_changes_neither_the_cart_nor_the_world() -> None:
    for seed, each in drawn("pure", SOME // 2):
        body = each.cart.model_dump_json()
        facts = copy.deepcopy((each.world.products, each.world.free, each.world.left, each.world.coupon))
        known = [(one.code, repr(one)) for one in each.campaigns]
        ask(each)
        assert each.cart.model_dump_json() == body, seed
        assert (each.world.products, each.world.free, each.world.left, each.world.coupon) == facts, seed
        assert [(one.code, repr(one)) for one in each.campaigns] == known, seed


def test_the_same_question_has_the_same_answer_whatever_was_asked_before() -> None:
    asked = [each for _, each in drawn("same", SOME)]
    first = [as_bytes(ask(each)) for each in asked]
    assert [as_bytes(ask(each)) for each in reversed(asked)] == first[::-1]


def digest() -> str:
    """One number for the quotes of many carts."""
    total = hashlib.sha256()
    for _, each in drawn("digest", 200):
        total.update(as_bytes(ask(each)))
    return total.hexdigest()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_gives_the_same_bytes(hash_seed: str) -> None:
    program = "from tests.promotions.test_engine_properties import digest; print(digest())"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "SEED": str(SEED)},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert told.stdout.strip() == digest()


def test_the_order_of_the_lines_decides_only_who_gets_the_last_cent() -> None:
    turned_around = 0
    for number, (seed, shop) in enumerate(drawn("order", SOME, plain=True)):
        # Where all products cost the same, many remainders tie.
        same = {sku: replace(one, price=1001) for sku, one in shop.world.products.items()}
        each = shop.but(products=same) if number % 2 else shop
        before = ask(each)
        after = ask(each.but(cart=with_lines(each.cart, each.cart.lines[::-1])))
        for name in ("subtotal", "discount", "total"):
            assert before[name] == after[name], seed
        other = {line["sku"]: line for line in after["lines"]}
        moved = [line for line in before["lines"] if line["payable"] != other[line["sku"]]["payable"]]
        turned_around += bool(moved)
        for code in {line["campaign"] for line in moved}:
            group = next(each for each in before["groups"] if each["campaign"] == code)
            tied = {remainder(each, line, group) for line in moved if line["campaign"] == code}
            assert len(tied) == 1, seed
    assert turned_around, "no tie was ever drawn"


def remainder(each: Drawn, line: dict[str, Any], group: dict[str, Any]) -> int:
    """What is left of a line's share once it is rounded down, as a numerator."""
    found = each.world.index.get(group["campaign"])
    assert found is not None
    assert found.type is not None
    assert found.type.evaluate is not None
    rows = [
        Line(row["line"], row["sku"], row["quantity"], row["unit_price"], found.items.get(row["sku"]))
        for row in ask(each)["lines"]
        if row["campaign"] == found.code
    ]
    effect = found.type.evaluate(found.rule, Group(tuple(rows)))
    units = effect.sharing or tuple(row.quantity for row in rows)
    weights = {row.sku: row.price * part for row, part in zip(rows, units, strict=True)}
    return group["discount"] * weights[line["sku"]] % sum(weights.values())


def pinned(each: Drawn) -> Drawn | None:
    """The same cart with every choice made, without add-ons; None when a choice could not be had."""
    reply = ask(each)
    lines = [
        asked.model_copy(update={"campaign": told["campaign"]})
        for asked, told in zip(each.cart.lines, reply["lines"], strict=True)
    ]
    body = with_lines(each.cart, lines).model_dump(exclude={"lines"})
    settled = [{"sku": line.sku, "quantity": line.quantity, "campaign": line.campaign} for line in lines]
    cart = Cart.model_validate({**body, "lines": settled})
    again = quote(cart, each.world)
    assert [line["campaign"] for line in again["lines"]] == [line["campaign"] for line in reply["lines"]]
    assert again["total"] == reply["total"]
    return Drawn(cart, each.world)


def test_one_more_unit_costs_at_most_its_base_price() -> None:
    for seed, each in drawn("one more", SOME, plain=True):
        settled = pinned(each)
        assert settled is not None
        before = ask(settled)
        for position, line in enumerate(settled.cart.lines):
            more = list(settled.cart.lines)
            more[position] = line.model_copy(update={"quantity": line.quantity + 1})
            after = ask(settled.but(cart=with_lines(settled.cart, more)))
            if [each["campaign"] for each in after["lines"]] != [each["campaign"] for each in before["lines"]]:
                continue  # more than a group buy sells to one
            price = before["lines"][position]["unit_price"] if before["lines"][position]["state"] == "ok" else 0
            assert after["total"] - before["total"] <= price, (seed, position)


AWAY: tuple[dict[str, Any], ...] = (
    {"audience": {"kind": "members", "levels": [9]}},
    {"channels": ["mini_program"]},
    {"channels": ["store"], "stores": ["elsewhere"]},
    {"starts_at": NOW_MS + 1},
    {"ends_at": NOW_MS},
    {"paused": True},
    {"draft": True},
    {"terminated_at": NOW_MS - 1},
)


def test_a_campaign_for_others_never_applies() -> None:
    for seed, each in drawn("others", SOME // 3):
        for number, terms in enumerate(AWAY):
            code = f"away{number}"
            away = campaign("item_discount", {"price": 0}, code=code, scope="all", priority=99, **terms)
            wanted = [line.model_copy(update={"campaign": code}) for line in each.cart.lines]
            for line in wanted:
                line.model_fields_set.add("campaign")
            told = ask(each.but(campaigns=[*each.campaigns, away], cart=with_lines(each.cart, wanted)))
            joined = {line["campaign"] for line in told["lines"] if line["state"] != "unselected"}
            assert code not in joined, (seed, terms)


def test_campaigns_without_a_product_of_the_cart_change_nothing() -> None:
    for seed, each in drawn("unrelated", SOME):
        products = {**each.world.products, "other": Product("other", 5000, ("garden",))}
        shop = each.but(products=products)
        others = [
            campaign("item_discount", {"price": 0}, code="x1", items=["other"], priority=99),
            campaign("threshold_reduction", CENTS, code="x2", scope="category", categories=["garden"], priority=99),
        ]
        assert as_bytes(ask(shop.but(campaigns=[*each.campaigns, *others]))) == as_bytes(ask(shop)), seed


CENTS = {"mode": "every", "spend": 1, "off": 1}


def test_no_default_choice_ever_costs_more_than_base() -> None:
    for seed, each in drawn("no loss", SOME):
        reply = ask(each)
        added = sum(one["payable"] for one in reply["add_ons"])
        assert reply["total"] - added <= reply["subtotal"], seed


def test_the_best_costs_no_more_and_is_what_its_own_choices_cost() -> None:
    saved = 0
    for seed, each in drawn("best", SOME):
        body = each.cart.model_dump(exclude_unset=True)
        best = quote(Cart.model_validate({**body, "strategy": "best"}), each.world)
        by_priority = ask(each)["total"]
        assert best["total"] <= by_priority, seed
        saved += best["total"] < by_priority
        pairs = zip(body["lines"], best["lines"], strict=True)
        chosen = [{**asked, "campaign": told["campaign"]} for asked, told in pairs]
        again = quote(Cart.model_validate({**body, "lines": chosen}), each.world)
        assert again["total"] == best["total"], seed
        assert [line["campaign"] for line in again["lines"]] == [line["campaign"] for line in best["lines"]], seed
    assert saved


def test_what_cannot_be_read_never_joins_and_only_operators_hear_of_it() -> None:
    heard = 0
    for seed, each in drawn("broken", SOME):
        reply = ask(each)
        unreadable = {one.code for one in each.campaigns if one.broken is not None}
        assert not unreadable & {line["campaign"] for line in reply["lines"] if line["state"] != "unselected"}, seed
        told = {
            (choice["campaign"], choice["state"], choice["type"])
            for line in reply["lines"]
            for choice in line["choices"]
            if choice["campaign"] in unreadable
        }
        if each.world.operator:
            heard += any(state == "error" for _, state, _ in told)
        else:
            assert all(state == "not_running" and kind is None for _, state, kind in told), seed
    assert heard


def test_every_reason_is_a_code_and_a_sentence() -> None:
    for seed, each in drawn("reasons", SOME):
        reply = ask(each)
        choices = [choice for line in reply["lines"] for choice in line["choices"]]
        reasons = [one["reason"] for one in (*choices, *reply["left_off"])]
        reasons += [reply["coupon"]["reason"]] if reply["coupon"] is not None else []
        for told in reasons:
            assert told is None or (": " in told and told.split(": ")[0].isidentifier()), (seed, told)
        assert all((one["reason"] is None) == (one["state"] == "applied") for one in choices), seed


def test_an_explanation_changes_nothing_else() -> None:
    for seed, each in drawn("explained", SOME):
        replies = [
            ask(each.but(cart=each.cart.model_copy(update={"explain": explain}))) for explain in (False, True)
        ]
        for reply in replies:
            for line in reply["lines"]:
                line["choices"] = [one for one in line["choices"] if one["state"] in {"applied", "not_reached"}]
        assert replies[0] == replies[1], seed


def test_a_choice_costs_what_was_told() -> None:
    looked = 0
    for seed, each in drawn("alternatives", SOME):
        asked = each.but(cart=each.cart.model_copy(update={"explain": True}))
        reply = ask(asked)
        settled = [
            {**line.model_dump(include={"sku", "quantity", "selected"}), "campaign": told["campaign"]}
            for line, told in zip(each.cart.lines, reply["lines"], strict=True)
        ]
        rest = each.cart.model_dump(exclude={"lines"})
        for line in reply["lines"]:
            for choice in line["choices"]:
                if choice["state"] != "beaten" or line["state"] == "unselected":
                    continue
                instead = list(settled)
                instead[line["line"] - 1] = {**instead[line["line"] - 1], "campaign": choice["campaign"]}
                then = quote(Cart.model_validate({**rest, "lines": instead}), each.world)
                assert then["lines"][line["line"] - 1]["campaign"] == choice["campaign"], (seed, line, choice)
                assert then["lines"][line["line"] - 1]["payable"] == choice["payable"], (seed, line, choice)
                looked += 1
    assert looked > SOME // 2


def may_join(each: Drawn, campaign: Campaign, line: dict[str, Any]) -> bool:
    """Whether a line that asks for nothing may join a campaign, written once more as the rules are told."""
    product = each.world.products[line["sku"]]
    if campaign.broken or campaign.type_name in {"presale", "group_buy", "seckill"}:
        return False
    if campaign.draft or campaign.paused or campaign.terminated:
        return False
    if not campaign.starts_at_ms <= NOW_MS < campaign.ends_at_ms or product.sku in campaign.exclude:
        return False
    channel, store = each.cart.channel, each.cart.store
    if campaign.channels and channel not in campaign.channels:
        return False
    if channel == "store" and campaign.stores and store not in campaign.stores:
        return False
    if refuses(campaign.audience, each.world.shopper, each.world.today) is not None:
        return False
    holds = {
        "all": True,
        "items": product.sku in campaign.items,
        "category": bool({*product.categories} & campaign.categories),
    }
    if campaign.type_name == "item_discount":
        rule = campaign.rule
        lower = product.price - (rule.amount_off or 0) if rule.price is None else rule.price
        if rule.percent_off is not None:
            lower = int(Fraction(product.price * (10_000 - rule.percent_off), 10_000) + Fraction(1, 2))
        return holds[campaign.scope] and 0 <= lower < product.price
    return holds[campaign.scope]


def test_lines_without_a_choice_join_the_first_campaign_that_they_may_join() -> None:
    joined = 0
    for seed, each in drawn("defaults", MANY):
        reply = ask(each.but(left={}))
        for asked, line in zip(each.cart.lines, reply["lines"], strict=True):
            if asked.pinned or line["state"] not in {"ok", "short_stock"}:
                continue
            open_to = [one for one in each.campaigns if may_join(each, one, line)]
            first = min(open_to, key=lambda one: one.rank).code if open_to else None
            assert line["campaign"] == first, (seed, line)
            joined += first is not None
    assert joined > MANY // 2

"""What of a quote must be the same when it is ordered: every cent, line and gift, and nothing that is only told."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from admin.promotions import engine
from admin.promotions.cart import Cart
from admin.quotes.terms import all_there, gifts_of, same, same_but_gifts, still_there, terms_of
from tests.promotions.worlds import campaign, coupon, world

CART: dict[str, Any] = {
    "lines": [
        {"sku": "kettle", "quantity": 2},
        {"sku": "lamp", "quantity": 3},
        {"sku": "pot", "quantity": 1, "selected": False},
    ],
    "coupon": "SAVE",
    "add_ons": [{"campaign": "plus", "sku": "towel"}],
}


def priced(*, language: str = "en", free: dict[str, int] | None = None, **about: Any) -> dict[str, Any]:
    """A cart with something of everything."""
    shop = world(
        campaign("threshold_reduction", {"mode": "every", "spend": 1000, "off": 10}, code="off", items=["pot"]),
        campaign(
            "item_gift",
            {"gifts": [{"sku": "mug", "quantity": 2}, {"sku": "spoon", "quantity": 1}], "per": 1},
            code="gift",
            items=["kettle"],
        ),
        campaign(
            "add_on",
            {"tiers": [{"spend": 100, "options": [{"sku": "towel", "price": 10, "limit": 2}]}]},
            code="plus",
            items=["lamp"],
        ),
        campaign("item_discount", {"price": 900}, code="less", items=["lamp"], priority=-1),
        prices=dict.fromkeys(("kettle", "lamp", "pot", "mug", "spoon", "towel"), 1000),
        free=free,
        language=language,
        coupon=coupon(amount_off=50),
    )
    return engine.quote(Cart.model_validate({**CART, **about}), shop)


def test_what_is_only_told_is_no_term() -> None:
    first = priced()
    assert len(terms_of(first)) == 64
    assert first["gifts"]
    assert first["add_ons"]
    assert first["coupon"]["state"] == "applied"
    others = [
        priced(language="zh-Hant"),
        priced(explain=True, suggest=True),
        {**first, "token": "abc"},
        {**first, "left_off": [{"sku": "x", "campaign": "y", "reason": "z"}], "search": None, "better": None},
    ]
    assert {terms_of(each) for each in (first, *others)} == {terms_of(first)}
    assert same(terms_of(first), others[0])
    assert not same(None, first)
    assert not same_but_gifts(None, first)


def _coupon_gone(result: dict[str, Any]) -> None:
    result["coupon"] = {**result["coupon"], "state": "exhausted", "discount": 0}


def _presale(result: dict[str, Any]) -> None:
    result["presale"] = {"deposit": 1, "credit": 1, "balance": 1, "balance_starts_at": "", "balance_ends_at": ""}


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "currency": lambda result: result.update(currency="TWD"),
    "sku": lambda result: result["lines"][0].update(sku="lamp"),
    "quantity": lambda result: result["lines"][0].update(quantity=3),
    "campaign": lambda result: result["lines"][0].update(campaign=None),
    "line_state": lambda result: result["lines"][0].update(state="short_stock"),
    "selected": lambda result: result["lines"][2].update(state="ok"),
    "a_cent_of_a_unit": lambda result: result["lines"][1]["unit_payables"].__setitem__(2, 1),
    "a_line_less": lambda result: result["lines"].pop(),
    "order_of_lines": lambda result: result["lines"].reverse(),
    "add_on_price": lambda result: result["add_ons"][0].update(unit_price=11),
    "add_on_quantity": lambda result: result["add_ons"][0].update(quantity=2),
    "add_on_gone": lambda result: result["add_ons"].pop(),
    "coupon_code": lambda result: result["coupon"].update(code="OTHER"),
    "coupon_discount": lambda result: result["coupon"].update(discount=51),
    "coupon_gone": _coupon_gone,
    "presale": _presale,
    "subtotal": lambda result: result.update(subtotal=result["subtotal"] + 1),
    "discount": lambda result: result.update(discount=result["discount"] + 1),
    "coupon_in_all": lambda result: result.update(coupon_discount=result["coupon_discount"] + 1),
    "total": lambda result: result.update(total=result["total"] - 1),
}
GIFTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "more_gifts": lambda result: result["gifts"][0].update(quantity=5),
    "another_gift": lambda result: result["gifts"][0].update(sku="towel"),
    "a_gift_of_another": lambda result: result["gifts"][0].update(campaign="off"),
    "one_more": lambda result: result["gifts"].append({"campaign": "gift", "sku": "towel", "quantity": 1}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_price_line_or_coupon_is_another_quote(change: str) -> None:
    first = priced()
    terms = terms_of(first)
    other = copy.deepcopy(first)
    CHANGES[change](other)
    assert not same(terms, other)
    assert not same_but_gifts(terms, other)


@pytest.mark.parametrize("change", GIFTS)
def test_other_gifts_are_another_quote_and_none_that_was_promised(change: str) -> None:
    first = priced()
    other = copy.deepcopy(first)
    GIFTS[change](other)
    assert not same(terms_of(first), other)
    assert same_but_gifts(terms_of(first), other)
    # More is not less: nothing is missing that one could do without.
    assert all_there(gifts_of(first), other) == (change in ("more_gifts", "one_more"))
    kept = gifts_of({"gifts": still_there(gifts_of(first), other)})
    assert set(kept) <= set(gifts_of(first))


@pytest.mark.parametrize("free", [{"mug": 0}, {"mug": 3}, {"mug": 0, "spoon": 0}], ids=str)
def test_missing_gifts_may_be_accepted(free: dict[str, int]) -> None:
    first, fewer = priced(), priced(free=free)
    assert len(gifts_of(fewer)) <= len(gifts_of(first))
    assert not same(terms_of(first), fewer)
    # As JSON keeps them.
    promised: Any = [list(each) for each in gifts_of(first)]
    assert same_but_gifts(terms_of(first), fewer)
    assert still_there(promised, fewer) == fewer["gifts"]
    assert all_there(promised, first)
    assert not all_there(promised, fewer)
    # There again, they are more than was promised.
    assert all_there(gifts_of(fewer), first)
    assert gifts_of({"gifts": still_there(gifts_of(fewer), first)}) == gifts_of(fewer)

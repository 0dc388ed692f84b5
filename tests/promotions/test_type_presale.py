"""Given a line of a pre-sale, deposit, credit and balance are exact for every unit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.promotions.effects import Deposit
from tests.promotions.evaluating import effect, labels, refusal

START_MS, END_MS = 1_800_000_000_000, 1_800_000_600_000
WINDOW = {"balance_starts_at": START_MS, "balance_ends_at": END_MS}


@pytest.mark.parametrize(
    ("terms", "price", "deposit", "credit", "paid"),
    [
        pytest.param({"deposit": 1000, "multiplier": 3}, 12900, 1000, 3000, 10900, id="counts three times"),
        pytest.param({"deposit": 1000}, 12900, 1000, 1000, 12900, id="counts once by default"),
        pytest.param({"deposit": 333, "multiplier": 1.5}, 12900, 333, 500, 12733, id="499.5 is half up"),
        pytest.param({"deposit": 101, "multiplier": 1.01}, 12900, 101, 102, 12899, id="102.01 is down"),
        pytest.param({"deposit_percent": 10}, 9995, 1000, 1000, 9995, id="999.5 is half up"),
        pytest.param({"deposit_percent": 33.33, "multiplier": 2}, 9999, 3333, 6666, 6666, id="a percentage"),
        pytest.param({"deposit_percent": 10, "price": 10000}, 12900, 1000, 1000, 10000, id="of the price given"),
        pytest.param({"deposit": 2000, "mode": "confirm"}, 12900, 2000, 2000, 12900, id="confirms"),
        pytest.param(
            {"deposit": 2000, "mode": "confirm", "price": 9900}, 12900, 2000, 2000, 9900, id="confirms at a price"
        ),
    ],
)
def test_a_unit(terms: dict[str, Any], price: int, deposit: int, credit: int, paid: int) -> None:
    found = effect("presale", {**terms, **WINDOW}, ("kettle", price, 3))
    whole = terms.get("price", price)
    assert found.deposit == Deposit(whole * 3, deposit * 3, credit * 3, START_MS, END_MS)
    assert (found.reached, found.tier, found.discount) == (True, 0, (price - paid) * 3)
    assert found.per_unit == (price - paid,)
    assert refusal("presale", terms, price) is None


@pytest.mark.parametrize(
    ("own", "deposit", "paid"),
    [
        ({}, 1000, 9000),
        ({"price": 8000}, 1000, 7000),
        ({"deposit": 500}, 500, 9500),
        ({"price": 8000, "deposit_percent": 50}, 4000, 4000),
    ],
)
def test_a_product_may_have_terms_of_its_own(own: dict[str, Any], deposit: int, paid: int) -> None:
    rule = {"price": 10000, "deposit": 1000, "multiplier": 2, **WINDOW}
    found = effect("presale", rule, ("kettle", 12900, 1), items=[{"sku": "kettle", **own}])
    assert found.deposit is not None
    assert (found.deposit.deposit, found.discount) == (deposit, 12900 - paid)


@pytest.mark.parametrize(
    ("terms", "price", "expected"),
    [
        pytest.param({"deposit": 1000, "price": 12900}, 12900, None, id="the base price is fine"),
        pytest.param({"deposit": 1000, "price": 12900}, 12899, "not_below_base", id="the base price fell below"),
        pytest.param({"deposit": 1000, "price": 13000, "multiplier": 3}, 11000, None, id="cheaper all the same"),
        pytest.param(
            {"deposit": 1000, "price": 13000, "multiplier": 3}, 10999, "not_below_base", id="dearer by one"
        ),
        pytest.param({"deposit": 1000, "multiplier": 3}, 3000, "deposit_too_large", id="nothing left to pay"),
        pytest.param({"deposit": 1000, "multiplier": 3}, 3001, None, id="one cent left to pay"),
        pytest.param({"deposit_percent": 1}, 49, "deposit_too_small", id="rounds to nothing"),
        pytest.param({"deposit_percent": 1}, 50, None, id="rounds to one"),
        pytest.param({}, 12900, "deposit_too_small", id="no deposit at all"),
    ],
)
def test_what_today_s_base_price_leaves_out(terms: dict[str, Any], price: int, expected: str | None) -> None:
    assert refusal("presale", terms, price) == expected


@pytest.mark.parametrize(
    ("rule", "items", "expected"),
    [
        ({"deposit": 1000}, [], ("Pre-sale, deposit 10", "預售 訂金 10")),
        ({"deposit_percent": 12.5}, [{"sku": "a"}], ("Pre-sale, deposit 12.5%", "預售 訂金 12.5%")),
        ({"deposit": 1000}, [{"sku": "a"}, {"sku": "b", "deposit": 2000}], ("Pre-sale", "預售")),
        ({}, [{"sku": "b", "deposit": 2050}], ("Pre-sale, deposit 20.50", "預售 訂金 20.50")),
        ({"deposit": 10**12}, [], ("Pre-sale", "預售 訂金 10000000000")),
        ({}, [], ("Pre-sale", "預售")),
    ],
)
def test_labels(rule: dict[str, Any], items: list[dict[str, Any]], expected: tuple[str, str]) -> None:
    assert labels("presale", rule, items) == expected


hundredths = st.integers(100, 2000).map(lambda value: value / 100 if value % 100 else value // 100)
deposits = st.one_of(
    st.fixed_dictionaries({"deposit": st.integers(1, 5000)}),
    st.fixed_dictionaries({"deposit_percent": st.integers(1, 9999).map(lambda points: points / 100)}),
)


@settings(max_examples=60, deadline=None)
@given(
    terms=deposits,
    price=st.none() | st.integers(1, 20000),
    base=st.integers(1, 20000),
    quantity=st.integers(1, 9),
    leverage=st.none() | hundredths,
)
def test_the_parts_add_up_and_never_exceed_the_base_price(
    terms: dict[str, Any], price: int | None, base: int, quantity: int, leverage: float | None
) -> None:
    rule = {**terms, **({"price": price} if price is not None else {}), **WINDOW}
    rule |= {"mode": "confirm"} if leverage is None else {"multiplier": leverage}
    if refusal("presale", rule, base, quantity) is not None:
        return
    found = effect("presale", rule, ("kettle", base, quantity))
    assert found.deposit is not None
    parts = found.deposit
    balance = parts.price - parts.credit
    assert parts.deposit + balance == base * quantity - found.discount
    assert found.per_unit == (found.discount // quantity,)
    assert 0 < parts.deposit <= parts.credit < parts.price
    assert found.discount >= 0
    assert balance > 0
    if leverage is None:
        assert parts.credit == parts.deposit

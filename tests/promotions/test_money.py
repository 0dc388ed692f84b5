"""Given whole amounts, they are rounded, divided and shown without ever being a float."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from admin.promotions import money

amounts = st.integers(0, 10**15)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=8).filter(any)


@given(amount=amounts, basis_points=st.integers(0, money.WHOLE))
@example(amount=1, basis_points=5_000)  # chance hardly ever meets a half
@example(amount=9_995, basis_points=3_000)
def test_half_up_is_the_nearest_and_of_two_the_larger(amount: int, basis_points: int) -> None:
    exact = Fraction(amount * basis_points, money.WHOLE)
    assert -Fraction(1, 2) < money.half_up(amount, basis_points) - exact <= Fraction(1, 2)


@given(amount=amounts, basis_points=st.integers(1, money.WHOLE - 1))
def test_of_a_percentage_the_rest_is_rounded(amount: int, basis_points: int) -> None:
    off = money.percent_off(amount, basis_points)
    assert amount - off == money.half_up(amount, money.WHOLE - basis_points)
    assert 0 <= off <= amount


@given(parts=weights, part=st.fractions(0, 1))
def test_shares_are_exact_near_and_never_above_their_weight(parts: list[int], part: Fraction) -> None:
    amount = int(sum(parts) * part)
    shares = money.share(amount, parts)
    assert sum(shares) == amount
    for share, weight in zip(shares, parts, strict=True):
        assert 0 <= share <= weight
        assert abs(share - Fraction(amount * weight, sum(parts))) < 1


@pytest.mark.parametrize(
    ("amount", "parts", "shares"),
    [
        pytest.param(2, [1, 1, 1], [1, 1, 0], id="ties go to the earlier"),
        pytest.param(10, [3, 3, 4], [3, 3, 4], id="whole"),
        pytest.param(5, [1, 2, 3], [1, 2, 2], id="0.83, 1.67, 2.5: the two largest remainders"),
        pytest.param(1, [1, 1, 9], [0, 0, 1], id="0.09, 0.09, 0.82"),
        pytest.param(0, [0, 0], [0, 0], id="nothing over nothing"),
        pytest.param(3, [0, 3, 0], [0, 3, 0], id="no weight, no share"),
        pytest.param(6, [2, 2, 2], [2, 2, 2], id="everything"),
    ],
)
def test_the_largest_remainders_get_what_is_left(amount: int, parts: list[int], shares: list[int]) -> None:
    assert money.share(amount, parts) == shares


@given(amount=amounts, parts=st.integers(1, 50))
def test_equal_parts_are_the_shares_of_equal_weights(amount: int, parts: int) -> None:
    assert money.evenly(amount, parts) == money.share(amount, [amount + 1] * parts)


@pytest.mark.parametrize(
    ("amount", "currency", "shown", "short"),
    [
        (9900, "CNY", "99.00", "99"),
        (9905, "CNY", "99.05", "99.05"),
        (9950, "TWD", "99.50", "99.50"),
        (5, "USD", "0.05", "0.05"),
        (0, "CNY", "0.00", "0"),
        (-150, "CNY", "-1.50", "-1.50"),
        (9900, "JPY", "9900", "9900"),
        (12345, "KWD", "12.345", "12.345"),
        (12000, "KWD", "12.000", "12"),
    ],
)
def test_amounts_are_shown_with_their_currencys_decimals(
    amount: int, currency: str, shown: str, short: str
) -> None:
    assert (money.show(amount, currency), money.short(amount, currency)) == (shown, short)


@pytest.mark.parametrize(
    ("basis_points", "percent", "zhe"),
    [(1500, "15", "8.5"), (1000, "10", "9"), (1250, "12.5", "8.75"), (1, "0.01", "9.999"), (9000, "90", "1")],
)
def test_percentages_are_shown_both_ways(basis_points: int, percent: str, zhe: str) -> None:
    assert (money.show_percent(basis_points), money.show_zhe(basis_points)) == (percent, zhe)

"""Arithmetic of amounts in whole minor units, and amounts as text. Nothing here is ever a float."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

WHOLE = 10_000
"""Basis points of a whole."""

_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""ISO 4217 currencies that do not have two decimals."""


def half_up(amount: int, basis_points: int) -> int:
    """A share of an amount that is not negative, rounded half up."""
    return (2 * amount * basis_points + WHOLE) // (2 * WHOLE)


def percent_off(amount: int, basis_points: int) -> int:
    """What a discount of some percent takes off an amount: the rest is rounded half up, not the discount."""
    return amount - half_up(amount, WHOLE - basis_points)


def share(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount by weights with the largest remainder; ties go to the earlier.

    No share exceeds its weight when the amount does not exceed their sum, and the shares always sum to the
    amount. Without any weight nobody gets a share, so the amount must then be 0.
    """
    total = sum(weights)
    if amount == 0 or total == 0:
        assert amount == 0, "an amount without anybody to bear it"
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    rest = amount - sum(shares)
    if rest:
        remainders = [amount * weight % total for weight in weights]
        # Sorting keeps the order of what is equal, also in reverse.
        for place in sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)[:rest]:
            shares[place] += 1
    return shares


def evenly(amount: int, parts: int) -> list[int]:
    """Divide an amount into equal parts; the first ones bear what is left over."""
    each, rest = divmod(amount, parts)
    return [each + 1] * rest + [each] * (parts - rest)


def show(amount: int, currency: str) -> str:
    """An amount of minor units as decimal text, without the currency: 9900 CNY is `99.00`, 9900 JPY is `9900`."""
    decimals = _DECIMALS.get(currency, 2)
    if decimals == 0:
        return str(amount)
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}}"


def short(amount: int, currency: str) -> str:
    """The same without decimals that are all zero: `99` for 9900 CNY, for labels."""
    return show(amount, currency).removesuffix("." + "0" * _DECIMALS.get(currency, 2))


def show_percent(basis_points: int) -> str:
    """A percentage as decimal text: 1250 is `12.5`."""
    return f"{Decimal(basis_points) / 100:f}"


def show_zhe(basis_points: int) -> str:
    """A discount as Chinese shops say it (折): 1500 basis points off are `8.5`, that is 85 % of the price."""
    return f"{Decimal(WHOLE - basis_points) / 1000:f}"

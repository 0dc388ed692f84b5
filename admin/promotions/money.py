"""Amounts for people: minor units shown with the decimals of their currency."""

from __future__ import annotations

_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""ISO 4217 currencies that do not have two decimals."""


def show(amount: int, currency: str) -> str:
    """An amount of minor units as decimal text, without the currency: 9900 CNY is `99.00`, 9900 JPY is `9900`."""
    decimals = _DECIMALS.get(currency, 2)
    if decimals == 0:
        return str(amount)
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}}"

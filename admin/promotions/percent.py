"""Numbers with at most two decimals at the edge, whole hundredths inside."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer
from pydantic.json_schema import WithJsonSchema

from admin.inputs import refuse


def _hundredths(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("not_a_number", "want a number such as 15 or 12.5")
    # The shortest decimal text that means this number is what was typed.
    scaled = Decimal(repr(value)) * 100
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise refuse("too_many_decimals", "at most two decimals, such as 12.5 or 33.33")
    return int(scaled)


def _percent(value: Any) -> int:
    basis_points = _hundredths(value)
    if not 0 < basis_points < 10_000:
        raise refuse("not_a_percent", "want more than 0 and less than 100: 15 takes 15 % off")
    return basis_points


def _multiplier(value: Any) -> int:
    hundredths = _hundredths(value)
    if not 100 <= hundredths <= 100_000:
        raise refuse("bad_multiplier", "want 1 to 1000: 3 makes a deposit worth three times itself")
    return hundredths


def _number(hundredths: int) -> int | float:
    whole, rest = divmod(hundredths, 100)
    return hundredths / 100 if rest else whole


Percent = Annotated[
    int,
    BeforeValidator(_percent),
    PlainSerializer(_number, return_type=int | float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100, "multipleOf": 0.01}),
]
"""Basis points inside: 12.5 % is 1250."""

Multiplier = Annotated[
    int,
    BeforeValidator(_multiplier),
    PlainSerializer(_number, return_type=int | float),
    WithJsonSchema({"type": "number", "minimum": 1, "maximum": 1000, "multipleOf": 0.01}),
]
"""Hundredths inside: 3 is 300."""

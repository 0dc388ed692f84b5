"""Which units of an order somebody wants paid back."""

from __future__ import annotations

from pydantic import Field, model_validator

from admin.errors import Conflict, FieldError, Invalid
from admin.inputs import REPORTED_MAX, UNSET, Input, refuse
from admin.payments.contents import Contents

UNITS_MAX = 100_000
"""Units named in one request."""
LINES_MAX = 1000
"""Lines named in one request, and the largest number of a line."""


class RefundLine(Input):
    """So many units of one line of the order, the lowest numbers first. A seckill order has one line."""

    line: int = Field(ge=1, le=LINES_MAX)
    quantity: int = Field(ge=1, le=UNITS_MAX)


class RefundInput(Input):
    """What to pay back: units by number, or by line and quantity; without either, everything that is left."""

    units: list[int] = Field(UNSET, min_length=1, max_length=UNITS_MAX)
    lines: list[RefundLine] = Field(UNSET, min_length=1, max_length=LINES_MAX)

    @model_validator(mode="after")
    def _one_way(self) -> RefundInput:
        if self.units is not None and self.lines is not None:
            raise refuse("ambiguous", "give units or lines, not both")
        return self

    @property
    def whole(self) -> bool:
        """Whether everything is meant."""
        return self.units is None and self.lines is None


def chosen(contents: Contents, given: RefundInput) -> list[int]:
    """The units to pay back, in ascending order.

    Raises:
        Conflict: a unit is paid back already, or a line has fewer left.
        Invalid: the order has no such line or unit, or one is named twice.
    """
    if given.units is not None:
        return _named(contents, given.units)
    if given.lines is not None:
        return _lowest(contents, given.lines)
    return contents.held()


def _named(contents: Contents, wanted: list[int]) -> list[int]:
    problems = []
    seen: set[int] = set()
    for position, unit in enumerate(wanted):
        if not contents.has(unit):
            problems.append(FieldError(f"units.{position}", "no_such_unit", "the order never had this unit"))
        elif unit in seen:
            problems.append(FieldError(f"units.{position}", "repeated", "given more than once"))
        seen.add(unit)
    if problems:
        raise Invalid(problems[:REPORTED_MAX])
    gone = sorted(seen & contents.gone)
    if gone:
        raise Conflict(
            f"{len(gone)} of the units are paid back already", code="already_refunded", units=gone[:REPORTED_MAX]
        )
    return sorted(seen)


def _lowest(contents: Contents, wanted: list[RefundLine]) -> list[int]:
    problems = []
    seen: set[int] = set()
    units: list[int] = []
    for position, each in enumerate(wanted):
        part = contents.part(each.line)
        if part is None:
            count = len(contents.parts)
            says = "the order has one line" if count == 1 else f"the order has {count} lines"
            problems.append(FieldError(f"lines.{position}.line", "no_such_line", says))
        elif each.line in seen:
            problems.append(FieldError(f"lines.{position}.line", "repeated", "given more than once"))
        seen.add(each.line)
    if problems:
        raise Invalid(problems)
    for each in wanted:
        part = contents.part(each.line)
        held = contents.held(part)
        if each.quantity > len(held):
            raise Conflict(
                f"only {len(held)} units of line {each.line} are left to pay back",
                code="too_many",
                line=each.line,
                left=len(held),
            )
        units += held[: each.quantity]
    return sorted(units)

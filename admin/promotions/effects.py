"""What a type of promotion is given to judge, and what it answers: lines that joined, and their effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a cart that joined a campaign. `number` counts from 1, `price` is the base price of a unit.

    `item` holds the campaign's own terms for this product, if it lists it.
    """

    number: int
    sku: str
    quantity: int
    price: int
    item: Any = None

    @property
    def subtotal(self) -> int:
        """At base price."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Group:
    """All lines that joined one campaign, in cart order, at least one."""

    lines: tuple[Line, ...]
    subtotal: int = field(init=False, compare=False)
    """At base price."""
    units: int = field(init=False, compare=False)
    """Pieces on all lines."""

    def __post_init__(self) -> None:
        # Asked several times of thousands of groups in one search.
        object.__setattr__(self, "subtotal", sum([line.price * line.quantity for line in self.lines]))
        object.__setattr__(self, "units", sum([line.quantity for line in self.lines]))


@dataclass(frozen=True, slots=True)
class Gift:
    """Some pieces of a product given away."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to gifts: `times` times, either all options or, where `choose` is set, that many picks among them."""

    options: tuple[Gift, ...]
    choose: int | None
    times: int


@dataclass(frozen=True, slots=True)
class Option:
    """A product that may be added at a lower price, at most `limit` units in an order."""

    sku: str
    price: int
    limit: int


@dataclass(frozen=True, slots=True)
class Next:
    """The next step of a ladder: what is missing (one of the two), and what the group would get then.

    `discount` is in all, not in addition; with `spend_more` for a group of exactly the next threshold, with
    `buy_more` at least, for the present lines.
    """

    spend_more: int | None = None
    buy_more: int | None = None
    discount: int = 0
    gifts: tuple[Gift, ...] = ()


@dataclass(frozen=True, slots=True)
class Deposit:
    """A pre-sale line's parts, for all its units: P − c is the balance, P − c + d what is paid in the end."""

    price: int
    deposit: int
    credit: int
    balance_starts_at_ms: int
    balance_ends_at_ms: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a campaign makes of a group. `tier` counts from 0; None when no threshold is reached.

    The discount is divided over the lines by base subtotals, unless `per_unit` says what a unit of each line is
    reduced by, or `sharing` says how many units of each line take part.
    """

    reached: bool
    discount: int = 0
    tier: int | None = None
    per_unit: tuple[int, ...] | None = None
    sharing: tuple[int, ...] | None = None
    grants: tuple[Grant, ...] = ()
    options: tuple[Option, ...] = ()
    next: Next | None = None
    deposit: Deposit | None = None

"""How much goes back, and through which payments: arithmetic of whole minor units, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from admin.payments.contents import Contents
from admin.promotions import money

Source = tuple[str, int]
"""A payment, and money that came or goes back through it."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is paid back for some units of an order.

    `held_back` is what these cost less what is paid back now. It is negative when gifts come back for which more
    was held back earlier. `gifts_kept` are those that the kept units no longer earn, each with what it is worth.
    """

    units: Sequence[int]
    amount: int
    held_back: int = 0
    gifts_kept: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def owed(contents: Contents, units: Sequence[int], gifts_kept: Sequence[Mapping[str, Any]], paid_back: int) -> Owed:
    """What is paid back for some more units, when so much was paid back for those that are gone.

    In all that is what the units cost that were paid back, less what the gifts are worth that the kept units do not
    earn; but what has been paid back once stays paid back.
    """
    after = contents.without(units)
    worth = sum(each["value"] for each in gifts_kept)
    in_all = max(0, after.cost(after.gone) - worth)
    amount = max(0, in_all - paid_back)
    return Owed(units, amount, contents.cost(units) - amount, gifts_kept)


def divide(amount: int, sources: Iterable[Source]) -> list[Source]:
    """The parts of an amount by payment: as much as each still has, the first ones first.

    Raises:
        ValueError: they do not have so much in all.
    """
    parts = []
    for payment, has in sources:
        part = min(amount, has)
        if part > 0:
            parts.append((payment, part))
            amount -= part
    if amount:
        raise ValueError(f"{amount} more than was paid")
    return parts


def reductions(contents: Contents) -> Counter[str]:
    """By campaign, what it gave away with the units that are gone; once all are, exactly what it gave in all."""
    found: Counter[str] = Counter()
    for part in contents.parts:
        if part.campaign is None or part.kind == "gift":
            continue
        gone = [place for place, number in enumerate(part.numbers) if number in contents.gone]
        if part.kind == "add_on":
            found[part.campaign] += (part.base_price - part.unit_price) * len(gone)
        else:
            found[part.campaign] += discount_of(part.discount, part.unit_price, part.payables, gone)
    return found


def discount_of(discount: int, unit_price: int, payables: Sequence[int], places: Iterable[int]) -> int:
    """What a line's discount took off its units at some places, the first one 0. Where a coupon took off something,
    too, each unit's part is in proportion to all that was taken off it.
    """
    shares = money.share(discount, [unit_price - cost for cost in payables])
    return sum(shares[place] for place in places)

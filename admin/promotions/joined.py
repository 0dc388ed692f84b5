"""Lines that joined a campaign, what it makes of them, and how its discount is divided over lines and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from admin.promotions import money
from admin.promotions.campaign import Campaign
from admin.promotions.effects import Effect, Group


@dataclass(slots=True, eq=False)
class Joined:
    """A campaign, the numbers of the lines that joined it, and its effect."""

    campaign: Campaign
    numbers: tuple[int, ...]
    group: Group
    effect: Effect
    _shares: Sequence[int] | None = field(default=None, init=False, repr=False)

    def shares(self) -> Sequence[int]:
        """What each line is reduced by, in the order of `numbers`; in all exactly the discount."""
        if self._shares is None:
            self._shares = self._divide()
        return self._shares

    def share_of(self, number: int) -> int:
        """What the line with some number is reduced by."""
        return self.shares()[self.numbers.index(number)]

    def unit_prices(self, number: int, off: int) -> list[int]:
        """The price of each unit of a line that is reduced by `off` in all, before a coupon."""
        place = self.numbers.index(number)
        line = self.group.lines[place]
        part = line.quantity if self.effect.per_unit is not None else self._sharing()[place]
        if off == 0:
            return [line.price] * line.quantity
        return [line.price - less for less in money.evenly(off, part)] + [line.price] * (line.quantity - part)

    def _divide(self) -> Sequence[int]:
        effect, lines = self.effect, self.group.lines
        if effect.per_unit is not None:
            return [off * line.quantity for off, line in zip(effect.per_unit, lines, strict=True)]
        if effect.discount == 0:
            return [0] * len(lines)
        if len(lines) == 1:
            return [effect.discount]
        return money.share(
            effect.discount, [line.price * part for line, part in zip(lines, self._sharing(), strict=True)]
        )

    def _sharing(self) -> tuple[int, ...]:
        return self.effect.sharing or tuple(line.quantity for line in self.group.lines)

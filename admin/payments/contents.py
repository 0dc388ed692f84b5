"""What an order consists of, to the unit: which units it still holds, and what each of them costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from admin.orders.tables import order_lines
from admin.payments.tables import refunds
from gateway.orders.tables import SECKILL, order_units


@dataclass(frozen=True, slots=True)
class Part:
    """A line of an order. `numbers` are those of its units, in ascending order, `payables` what each costs."""

    line: int
    kind: str
    sku: str
    numbers: Sequence[int]
    payables: Sequence[int]
    base_price: int
    unit_price: int
    campaign: str | None = None
    discount: int = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """All lines of an order, goods before add-ons before gifts, and the units that are paid back already."""

    parts: Sequence[Part]
    gone: frozenset[int]
    _costs: Mapping[int, int] = field(init=False, repr=False, compare=False)
    _lines: Mapping[int, Part] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        costs = {
            number: cost for part in self.parts for number, cost in zip(part.numbers, part.payables, strict=True)
        }
        lines = {number: part for part in self.parts for number in part.numbers}
        object.__setattr__(self, "_costs", costs)
        object.__setattr__(self, "_lines", lines)

    def has(self, unit: int) -> bool:
        """Whether the order ever had a unit."""
        return unit in self._costs

    def held(self, part: Part | None = None) -> list[int]:
        """The units that are left, of one line or of all, in ascending order."""
        numbers = part.numbers if part is not None else self._costs
        return [number for number in numbers if number not in self.gone]

    def part(self, line: int) -> Part | None:
        """The line with some number."""
        return next((part for part in self.parts if part.line == line), None)

    def cost(self, units: Iterable[int]) -> int:
        """What some units cost."""
        return sum(self._costs[unit] for unit in units)

    def by_line(self, units: Iterable[int]) -> dict[int, int]:
        """How many of some units are of each line; lines without any are left out."""
        return dict(Counter(self._lines[unit].line for unit in units))

    def without(self, units: Iterable[int]) -> Contents:
        """The same order once some more units are paid back."""
        return Contents(self.parts, self.gone | frozenset(units))

    @property
    def empty(self) -> bool:
        """Whether nothing is left of what was paid for; gifts do not keep an order alive."""
        return not any(part.kind != "gift" and self.held(part) for part in self.parts)


def read(connection: Connection, order: Row[Any]) -> Contents:
    """What an order consists of, and what of it is left."""
    if order.flow == SECKILL:
        return _won(connection, order)
    lines = connection.execute(
        select(order_lines).where(order_lines.c.order_no == order.order_no).order_by(order_lines.c.line)
    )
    parts = [
        Part(
            line=row.line,
            kind=row.kind,
            sku=row.sku,
            numbers=range(row.first_unit, row.first_unit + row.quantity),
            payables=row.unit_payables,
            base_price=row.base_price,
            unit_price=row.unit_price,
            campaign=row.campaign,
            discount=row.discount,
        )
        for row in lines
    ]
    settled = connection.execute(
        select(refunds.c.units).where(refunds.c.order_no == order.order_no, refunds.c.state == "settled")
    ).scalars()
    return Contents(parts, frozenset(unit for units in settled for unit in units))


def _won(connection: Connection, order: Row[Any]) -> Contents:
    """The gateway's orders have one line; their units carry the numbers of the offer."""
    rows = connection.execute(
        select(order_units.c.unit, order_units.c.active)
        .where(order_units.c.order_no == order.order_no)
        .order_by(order_units.c.unit)
    ).all()
    numbers = [row.unit for row in rows]
    part = Part(1, "goods", order.sku, numbers, [order.price] * len(numbers), order.price, order.price)
    return Contents([part], frozenset(row.unit for row in rows if not row.active))

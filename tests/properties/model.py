"""What the Lua commands promise, as a few lines of Python without Redis: the model they are held against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Held:
    """A ticket as the model keeps it."""

    order_no: str
    units: tuple[int, ...]
    slots: tuple[int, ...]
    price: int
    key: str

    def without(self, units: set[int]) -> Held:
        """What is left of it."""
        kept = [pair for pair in zip(self.units, self.slots, strict=True) if pair[0] not in units]
        return replace(self, units=tuple(unit for unit, _ in kept), slots=tuple(slot for _, slot in kept))


@dataclass
class Model:
    """One offer. Time stands still: the sale has started or not, ended or not, is held closed or not."""

    stock: int
    limit: int
    price: int
    version: int = 1
    state: str = "open"
    started: bool = True
    over: bool = False
    left: int = field(init=False)
    cap: int = field(init=False)
    top: int = field(init=False)
    next_unit: int = 1
    sequence: int = 0
    hold: str | None = None
    freed: list[int] = field(default_factory=list)
    retired: list[int] = field(default_factory=list)
    buyers: dict[str, list[Held]] = field(default_factory=dict)
    clicks: dict[str, int] = field(default_factory=dict)
    operations: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.left = self.cap = self.top = self.stock

    @property
    def closed(self) -> str | None:
        """The letter of a sale in which nobody can win by its terms."""
        if self.state == "terminated" or self.over:
            return "E"
        if self.state == "paused":
            return "P"
        return None if self.started else "N"

    def admit(
        self, shopper: str, quantity: int, key: str, *, eligible: bool, rate_limit: int, order_no: str
    ) -> tuple[str, Any]:
        """Decide one click."""
        tickets = self.buyers.get(shopper, [])
        if tickets and self.limit == 1:
            return "A", tickets[0]
        for ticket in tickets:
            if ticket.key == key:
                return ("A", ticket) if len(ticket.units) == quantity else ("K", None)
        closed = self.closed or self.hold
        if closed:
            return closed, 0 if closed == "S" else None
        if not eligible:
            return "I", None
        if rate_limit:
            if self.clicks.get(shopper, 0) >= rate_limit:
                return "R", None
            self.clicks[shopper] = self.clicks.get(shopper, 0) + 1
        taken = [slot for ticket in tickets for slot in ticket.slots]
        if len(taken) + quantity > self.limit:
            return "L", len(taken)
        if self.left < quantity:
            return "S", self.left
        slots = [slot for slot in range(1, self.limit + 1) if slot not in taken][:quantity]
        ticket = Held(order_no, tuple(self._take() for _ in range(quantity)), tuple(slots), self.price, key)
        self.buyers[shopper] = [*tickets, ticket]
        self.sequence += 1
        return "W", ticket

    def _take(self) -> int:
        self.left -= 1
        if self.freed:
            return self.freed.pop(0)
        self.next_unit += 1
        return self.next_unit - 1

    def adjust(self, operation: str, delta: int, *, hold: bool) -> str:
        """Raise or cut the stock."""
        if operation in self.operations:
            return "REPEATED"
        if self.left + delta < 0:
            return "TOO_LOW"
        self.operations.add(operation)
        if delta > 0 and self.left == 0:
            self.hold = "S" if hold else None
        for _ in range(-delta):
            if self.top >= self.next_unit:
                self.top -= 1
            else:
                self.retired = sorted([*self.retired, self.freed.pop()])
        for _ in range(delta):
            if self.retired:
                self.freed = sorted([*self.freed, self.retired.pop(0)])
            else:
                self.top += 1
        self.cap = max(self.cap, self.top)
        self.stock += delta
        self.left += delta
        self.sequence += 1
        return "APPLIED"

    def set_offer(self, version: int, *, hold: bool, **terms: Any) -> str:
        """Take over newer terms."""
        if version <= self.version:
            return "UNCHANGED"
        if self.closed:
            self.hold = self.closed if hold else None
        self.version = version
        for name, value in terms.items():
            setattr(self, name, value)
        return "UPDATED"

    def release(self, shopper: str, order_no: str, units: set[int], *, hold: bool) -> int:
        """Take units out of an order's ticket and put them on sale again; how many the ticket held."""
        tickets = self.buyers.get(shopper, [])
        found = [
            unit for ticket in tickets if ticket.order_no == order_no for unit in ticket.units if unit in units
        ]
        if not found:
            return 0
        kept = [ticket.without(units) if ticket.order_no == order_no else ticket for ticket in tickets]
        self.buyers[shopper] = [ticket for ticket in kept if ticket.units]
        if not self.buyers[shopper]:
            del self.buyers[shopper]
        if self.left == 0:
            self.hold = "S" if hold else None
        self.freed = sorted([*self.freed, *found])
        self.left += len(found)
        self.sequence += 1
        return len(found)

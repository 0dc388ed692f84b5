"""What a peer sold, held against what it may sell and what it says that it sold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sold:
    """One ticket, as a peer keeps it."""

    shopper: str
    order_no: str
    unit: int


@dataclass(frozen=True, slots=True)
class Book:
    """One offer of a peer after a run: its buyers, its stream, and the wins that its server answered."""

    offer: str
    stock: int
    left: int
    wins_answered: int
    buyers: tuple[Sold, ...]
    entries: tuple[Sold, ...]

    @property
    def oversold(self) -> int:
        """Units sold that do not exist: sold twice, or beyond the stock."""
        units = {each.unit for each in self.entries}
        real = sum(1 for unit in units if 1 <= unit <= self.stock)
        return max(len(self.entries), len(self.buyers)) - real


def read_tickets(pairs: Iterable[tuple[str, str]]) -> tuple[Sold, ...]:
    """Tickets ``order_no,unit,price,pay_by_ms`` by shopper."""
    parts = ((shopper, ticket.split(",")) for shopper, ticket in pairs)
    return tuple(Sold(shopper, order_no, int(unit)) for shopper, (order_no, unit, *_) in parts)


def breaches(book: Book) -> list[str]:
    """One sentence for each promise that a peer broke."""
    found = []
    if book.oversold:
        found.append(f"OVERSOLD by {book.oversold} units of {book.stock}")
    for what, count in Counter(each.unit for each in book.entries).items():
        if count > 1:
            found.append(f"unit {what} was sold {count} times")
    for shopper, count in Counter(each.shopper for each in book.entries).items():
        if count > 1:
            found.append(f"{shopper} won {count} times")
    if len(book.entries) != book.wins_answered:
        found.append(f"{book.wins_answered} wins were answered, the stream has {len(book.entries)}")
    if set(book.entries) != set(book.buyers):
        found.append("stream and buyers do not name the same winners")
    if book.stock - book.left != len(book.buyers):
        found.append(f"{book.stock - book.left} units were taken, {len(book.buyers)} shoppers hold one")
    return found

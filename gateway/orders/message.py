"""A ticket, and the stream entry that carries the winners of one batch, as `admit.lua` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack

from gateway.errors import MessageError

_LIST = rb"([1-9]\d{0,17}(?:\.[1-9]\d{0,17})*)"
_TICKET = re.compile(rb"([^,]+)," + _LIST + rb"," + _LIST + rb",(\d{1,18}),(\d{1,18}),(\d{1,18}),([^,]*)")


class Ticket(NamedTuple):
    """What a winner holds. `price` is per unit in minor units; `key` is a digest or empty."""

    order_no: str
    units: tuple[int, ...]
    slots: tuple[int, ...]
    price: int
    pay_by_ms: int
    won_at_ms: int
    key: str

    @classmethod
    def parse(cls, text: bytes) -> Ticket:
        """Read one ticket.

        Raises:
            MessageError: it has another form.
        """
        match = _TICKET.fullmatch(text)
        if match is None:
            raise MessageError(f"not a ticket: {text[:80]!r}")
        order_no, units, slots, price, pay_by_ms, won_at_ms, key = match.groups()
        try:
            ticket = cls(
                order_no.decode("ascii"),
                _numbers(units),
                _numbers(slots),
                int(price),
                int(pay_by_ms),
                int(won_at_ms),
                key.decode("ascii"),
            )
        except UnicodeDecodeError as error:
            raise MessageError(f"not a ticket: {text[:80]!r}") from error
        if len(ticket.units) != len(ticket.slots):
            raise MessageError(f"not a ticket: {text[:80]!r}")
        return ticket

    @property
    def quantity(self) -> int:
        """Number of units."""
        return len(self.units)

    @property
    def text(self) -> str:
        """The ticket as Redis keeps it; `parse` reads it."""
        units, slots = ".".join(map(str, self.units)), ".".join(map(str, self.slots))
        return f"{self.order_no},{units},{slots},{self.price},{self.pay_by_ms},{self.won_at_ms},{self.key}"


def tickets_of(record: bytes | None) -> list[Ticket]:
    """The tickets of a buyer's record, in order of winning.

    Raises:
        MessageError: one of them has another form.
    """
    return [Ticket.parse(text) for text in record.split(b"|")] if record else []


def _numbers(joined: bytes) -> tuple[int, ...]:
    return tuple(map(int, joined.split(b"."))) if b"." in joined else (int(joined),)


class Winner(NamedTuple):
    """One winner of an entry. `shopper` and `ticket` are kept as they came, for the dead-letter stream."""

    shopper: bytes
    ticket: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a shard's stream: the winners of one batch on one offer bucket."""

    id: str
    offer: str
    bucket: int
    epoch: int
    winners: tuple[Winner, ...]

    @classmethod
    def parse(cls, entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
        """Read a stream entry.

        Raises:
            MessageError: a field is missing or has another form.
        """
        try:
            flat: Any = msgpack.unpackb(fields[b"winners"], raw=True)
            winners = tuple(Winner(flat[i], flat[i + 1]) for i in range(0, len(flat), 2))
            entry = cls(
                entry_id.decode(),
                fields[b"offer"].decode(),
                int(fields[b"bucket"]),
                int(fields[b"epoch"]),
                winners,
            )
            count = int(fields[b"count"])
        except (KeyError, ValueError, IndexError, TypeError, msgpack.UnpackException) as error:
            raise MessageError(f"entry {entry_id!r} is not a batch of winners: {error!r}") from error
        if count != len(winners) or not all(
            isinstance(part, bytes) for winner in winners for part in (winner.shopper, winner.ticket)
        ):
            raise MessageError(f"entry {entry_id!r} names {count} winners and holds {len(winners)}")
        return entry

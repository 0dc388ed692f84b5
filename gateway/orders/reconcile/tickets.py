"""An offer's tickets in Redis against its orders in the ledger, and its unit numbers against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from redis import Redis
from sqlalchemy import Engine

from gateway import keys
from gateway.buckets import ranges_of
from gateway.errors import MessageError
from gateway.orders import dead_letters, holdings, unsettled
from gateway.orders.database import reading
from gateway.orders.dead_letters import DeadLetter
from gateway.orders.message import Ticket, tickets_of
from gateway.orders.reconcile.breaches import Breach
from gateway.orders.reconcile.numbers import Seen, held, moving, see

PAGE = 500
"""Buyers' records and numbers read at once."""
NAMED_MAX = 1000
"""Most breaches of one kind that are named one by one."""


class TicketCheck:
    """One look at all tickets of an offer. Page by page; only order and unit numbers are kept.

    On a live sale something moves between any two readings. What is read first is chosen so that a sale under
    way is no breach; for the rest the whole look is taken again.
    """

    def __init__(self, client: Redis, engine: Engine, offer: str, seen: Sequence[Seen]) -> None:
        self._client = client
        self._engine = engine
        self._offer = offer
        self._seen = seen
        self._owner: dict[int, str] = {}
        self._order_nos: set[str] = set()
        self._strangers: dict[str, tuple[bytes, Ticket]] = {}
        with reading(engine) as connection:
            self._going_back = {
                (each.order_no, unit)
                for each in holdings.waiting_releases(connection, offer)
                for unit in each.units
            }
            # A raise that is only in some buckets has given numbers to others that do not have them yet.
            self._allotting = len(seen) > 1 and bool(holdings.pending_operations(connection, offer))

    def run(self) -> Iterator[Breach]:
        """Every breach among tickets, orders and numbers.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: a store cannot be read.
        """
        # Numbers that may come and go while the pages are read: known before them, and compared after them.
        free = [unit for each in self._seen for unit in self._free(each)]
        for each in self._seen:
            for page in self._records(each):
                yield from self._check_page(page)
        yield from self._check_strangers()
        yield from self._check_orders()
        yield from self._check_numbers(free)

    def _free(self, seen: Seen) -> Iterator[int]:
        """Numbers of a bucket that came back, on sale or not."""
        bucket, epoch = seen.bucket.number, seen.numbers["epoch"]
        yield from self._numbers(keys.freed(self._offer, epoch, bucket))
        yield from self._numbers(keys.retired(self._offer, epoch, bucket))

    def _numbers(self, key: str) -> Iterator[int]:
        after = "-inf"
        while True:
            page: Any = self._client.zrangebyscore(key, after, "+inf", start=0, num=PAGE)
            yield from map(int, page)
            if len(page) < PAGE:
                return
            after = f"({int(page[-1])}"

    def _records(self, seen: Seen) -> Iterator[dict[bytes, bytes]]:
        buyers, cursor = keys.buyers(self._offer, seen.numbers["epoch"], seen.bucket.number), 0
        while True:
            page: Any
            cursor, page = self._client.hscan(buyers, cursor, count=PAGE)
            yield page
            if cursor == 0:
                return

    def _check_page(self, page: dict[bytes, bytes]) -> Iterator[Breach]:
        tickets: dict[str, tuple[bytes, Ticket]] = {}
        for shopper, record in page.items():
            try:
                found = tickets_of(record)
            except MessageError:
                says = f"the record of shopper {_name(shopper)} cannot be read: {record[:80]!r}"
                yield Breach("ticket_unreadable", says, self._offer, entry=_name(shopper))
                continue
            tickets |= {ticket.order_no: (shopper, ticket) for ticket in found}
        with reading(self._engine) as connection:
            known = holdings.known(connection, tickets)
            held = holdings.tickets(connection, tickets)
        for order_no, (shopper, ticket) in tickets.items():
            yield from self._own(ticket)
            if order_no not in known:
                self._strangers[order_no] = (shopper, ticket)
            else:
                yield from self._compare(shopper, ticket, held.get(order_no))

    def _own(self, ticket: Ticket) -> Iterator[Breach]:
        self._order_nos.add(ticket.order_no)
        for unit in ticket.units:
            other = self._owner.setdefault(unit, ticket.order_no)
            if other != ticket.order_no:
                says = f"unit {unit} is on the tickets of orders {other} and {ticket.order_no}"
                yield Breach("unit_held_twice", says, self._offer, unit, ticket.order_no)

    def _compare(self, shopper: bytes, ticket: Ticket, holding: holdings.Holding | None) -> Iterator[Breach]:
        held = holding.ticket if holding is not None else ticket._replace(units=(), slots=())
        for unit in set(ticket.units) - set(held.units):
            if (ticket.order_no, unit) not in self._going_back:
                says = f"the ticket of order {ticket.order_no} has unit {unit}, which the order has given back"
                yield Breach("ticket_given_back", says, self._offer, unit, ticket.order_no)
        for unit in set(held.units) - set(ticket.units):
            says = f"order {ticket.order_no} holds unit {unit}, which is not on its ticket"
            yield Breach("order_without_ticket", says, self._offer, unit, ticket.order_no)
        if holding is None:
            return
        slots, held_slots = (
            dict(zip(ticket.units, ticket.slots, strict=True)),
            dict(zip(held.units, held.slots, strict=True)),
        )
        both = slots.keys() & held_slots.keys()
        if (
            holding.shopper.encode() != shopper
            or ticket[3:] != held[3:]
            or any(slots[unit] != held_slots[unit] for unit in both)
        ):
            says = f"the ticket of order {ticket.order_no} differs from it in shopper, slot, price, time or key"
            yield Breach("ticket_differs", says, self._offer, order_no=ticket.order_no)

    def _check_strangers(self) -> Iterator[Breach]:
        """Tickets whose orders were not in the ledger: most are on their way to it."""
        if not self._strangers:
            return
        # In this order: an entry that is settled between the two readings is in the ledger at the second.
        waiting = set(_orders_under_way(self._client, self._offer))
        filed = {_order_no(letter.ticket) for letter in self._letters()}
        for order_no in holdings.unknown(self._engine, self._strangers.keys() - waiting - filed):
            shopper, ticket = self._strangers[order_no]
            says = f"shopper {_name(shopper)} has a ticket, and neither ledger nor stream has order {order_no}"
            yield Breach("ticket_without_order", says, self._offer, ticket.units[0], order_no)

    def _letters(self) -> Iterator[DeadLetter]:
        return dead_letters.of_offer(self._client, self._offer, len(self._seen))

    def _check_orders(self) -> Iterator[Breach]:
        """Orders that hold units and had no ticket in the pages read: most have come since."""
        missing: dict[str, holdings.Holding] = {}
        with reading(self._engine) as connection:
            for holding in holdings.held_tickets(connection, self._offer):
                if holding.ticket.order_no not in self._order_nos and len(missing) < NAMED_MAX:
                    missing[holding.ticket.order_no] = holding
        epochs = {each.bucket.number: each.numbers["epoch"] for each in self._seen}
        for order_no, (shopper, ticket, bucket) in missing.items():
            record: Any = self._client.hget(keys.buyers(self._offer, epochs.get(bucket, 0), bucket), shopper)
            if order_no.encode() not in {text.split(b",", 1)[0] for text in (record or b"").split(b"|")}:
                says = f"order {order_no} of shopper {shopper} has no ticket in Redis"
                yield Breach("order_without_ticket", says, self._offer, ticket.units[0], order_no)

    def _check_numbers(self, free: Sequence[int]) -> Iterator[Breach]:
        after = see(self._client, self._offer, len(self._seen))
        now = after if not isinstance(after, Breach) else []
        singles = [*self._owner, *free]
        # Still never issued, and yet held or free: what was sold or came back meanwhile is not.
        places = [*((unit, unit) for unit in singles), *_unissued(now)]
        for unit in _twice(places, self._top([*self._seen, *now])):
            says = f"unit {unit} is free to be sold and held, or free twice"
            yield Breach("unit_held_and_free", says, self._offer, unit, self._owner.get(unit, ""))
        # Never issued when the look began: what was sold since is somebody's or will be.
        lost = _nowhere([*((unit, unit) for unit in singles), *_unissued(self._seen)], self._top(self._seen))
        for unit in lost if not self._allotting else []:
            yield Breach("unit_lost", f"unit {unit} is neither held nor free", self._offer, unit)
        unmoved = [each.numbers for each in now] == [each.numbers for each in self._seen]
        if unmoved and len(self._owner) != held(self._seen):
            says = f"Redis counts {held(self._seen)} held units, and {len(self._owner)} are on tickets"
            yield Breach("held_differs", says, self._offer)

    def _top(self, seen: Sequence[Seen]) -> int:
        """The highest number that is somewhere: with one bucket, a cut leaves those above `unit_top` out."""
        name = "unit_top" if len(self._seen) == 1 else "unit_cap"
        return max(each.numbers[name] for each in seen)


def _unissued(seen: Sequence[Seen]) -> list[tuple[int, int]]:
    """First and last of numbers that were never on a ticket: on sale, off it, or on their way."""
    there = [part for each in seen for part in (*each.fresh, *each.retired)]
    return there + [part for transfer in moving(seen) for part in ranges_of(transfer.units)]


def _twice(places: Iterable[tuple[int, int]], cap: int) -> Iterator[int]:
    """Numbers that are in two places, the first of each overlap, and those that never were."""
    end = 0
    for first, last in sorted(places):
        if first <= end or last > cap:
            yield first
        end = max(end, last)


def _nowhere(places: Iterable[tuple[int, int]], top: int) -> list[int]:
    """Numbers up to a top that are in no place; so many as are named."""
    found: list[int] = []
    end = 0
    for first, last in [*sorted(places), (top + 1, top)]:
        found += range(end + 1, min(first, end + 1 + NAMED_MAX))
        end = max(end, last)
        if len(found) >= NAMED_MAX:
            break
    return [unit for unit in found[:NAMED_MAX] if unit <= top]


def _orders_under_way(client: Redis, offer: str) -> Iterator[str]:
    for entry in unsettled.by_offer(client, [offer]).get(offer, []):
        for winner in entry.winners:
            yield _order_no(winner.ticket)


def _order_no(text: bytes) -> str:
    return text.split(b",", 1)[0].decode("utf-8", "replace")


def _name(shopper: bytes) -> str:
    return shopper.decode("utf-8", "replace")

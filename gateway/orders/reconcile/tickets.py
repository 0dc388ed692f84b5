"""An offer's tickets in Redis against its orders in the ledger, and its unit numbers against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis import Redis
from sqlalchemy import Engine

from gateway import keys
from gateway.errors import MessageError
from gateway.orders import dead_letters, holdings, unsettled
from gateway.orders.database import reading
from gateway.orders.message import Ticket, tickets_of
from gateway.orders.reconcile.breaches import Breach
from gateway.orders.reconcile.numbers import Seen, see

PAGE = 500
"""Buyers' records and numbers read at once."""
NAMED_MAX = 1000
"""Most breaches of one kind that are named one by one."""


class TicketCheck:
    """One look at all tickets of an offer. Page by page; only order and unit numbers are kept.

    On a live sale something moves between any two readings. What is read first is chosen so that a sale under
    way is no breach; for the rest the whole look is taken again.
    """

    def __init__(self, client: Redis, engine: Engine, offer: str, seen: Seen) -> None:
        self._client = client
        self._engine = engine
        self._offer = offer
        self._seen = seen
        self._epoch = seen.numbers["epoch"]
        self._owner: dict[int, str] = {}
        self._order_nos: set[str] = set()
        self._strangers: dict[str, tuple[bytes, Ticket]] = {}
        with reading(engine) as connection:
            self._going_back = {
                (each.order_no, unit)
                for each in holdings.waiting_releases(connection, offer)
                for unit in each.units
            }

    def run(self) -> Iterator[Breach]:
        """Every breach among tickets, orders and numbers.

        Raises:
            redis.RedisError, sqlalchemy.exc.SQLAlchemyError: a store cannot be read.
        """
        freed = set(self._numbers(keys.freed(self._offer, self._epoch)))
        retired = set(self._numbers(keys.retired(self._offer, self._epoch)))
        for page in self._records():
            yield from self._check_page(page)
        yield from self._check_strangers()
        yield from self._check_orders()
        yield from self._check_numbers(freed, retired)

    def _numbers(self, key: str) -> Iterator[int]:
        after = "-inf"
        while True:
            page: Any = self._client.zrangebyscore(key, after, "+inf", start=0, num=PAGE)
            yield from map(int, page)
            if len(page) < PAGE:
                return
            after = f"({int(page[-1])}"

    def _records(self) -> Iterator[dict[bytes, bytes]]:
        cursor = 0
        while True:
            page: Any
            cursor, page = self._client.hscan(keys.buyers(self._offer, self._epoch), cursor, count=PAGE)
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
        held = holding[1] if holding is not None else ticket._replace(units=(), slots=())
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
            holding[0].encode() != shopper
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
        filed = {_order_no(letter.ticket) for letter in dead_letters.of_offer(self._client, self._offer)}
        for order_no in holdings.unknown(self._engine, self._strangers.keys() - waiting - filed):
            shopper, ticket = self._strangers[order_no]
            says = f"shopper {_name(shopper)} has a ticket, and neither ledger nor stream has order {order_no}"
            yield Breach("ticket_without_order", says, self._offer, ticket.units[0], order_no)

    def _check_orders(self) -> Iterator[Breach]:
        """Orders that hold units and had no ticket in the pages read: most have come since."""
        missing: dict[str, holdings.Holding] = {}
        with reading(self._engine) as connection:
            for holding in holdings.held_tickets(connection, self._offer):
                if holding[1].order_no not in self._order_nos and len(missing) < NAMED_MAX:
                    missing[holding[1].order_no] = holding
        for order_no, (shopper, ticket) in missing.items():
            record: Any = self._client.hget(keys.buyers(self._offer, self._epoch), shopper)
            if order_no.encode() not in {text.split(b",", 1)[0] for text in (record or b"").split(b"|")}:
                says = f"order {order_no} of shopper {shopper} has no ticket in Redis"
                yield Breach("order_without_ticket", says, self._offer, ticket.units[0], order_no)

    def _check_numbers(self, freed: set[int], retired: set[int]) -> Iterator[Breach]:
        # Numbers that were issued when the look began: those that came since are somebody's or will be.
        issued = range(1, self._seen.numbers["next_unit"])
        for unit in sorted((freed | retired) & self._owner.keys() | freed & retired):
            says = f"unit {unit} is free to be sold and held, or free twice"
            yield Breach("unit_held_and_free", says, self._offer, unit, self._owner.get(unit, ""))
        now = see(self._client, self._offer)
        next_unit = now.numbers["next_unit"] if isinstance(now, Seen) else issued.stop
        for unit in sorted(unit for unit in freed | retired if not 0 < unit < next_unit):
            yield Breach("unit_held_and_free", f"unit {unit} came back and was never issued", self._offer, unit)
        lost = [unit for unit in issued if unit not in self._owner and unit not in freed and unit not in retired]
        for unit in lost[:NAMED_MAX]:
            yield Breach("unit_lost", f"unit {unit} is neither held nor free", self._offer, unit)
        if isinstance(now, Seen) and now.numbers == self._seen.numbers and len(self._owner) != now.held:
            says = f"Redis counts {now.held} held units, and {len(self._owner)} are on tickets"
            yield Breach("held_differs", says, self._offer)


def _orders_under_way(client: Redis, offer: str) -> Iterator[str]:
    for entry in unsettled.by_offer(client, [offer]).get(offer, []):
        for winner in entry.winners:
            yield _order_no(winner.ticket)


def _order_no(text: bytes) -> str:
    return text.split(b",", 1)[0].decode("utf-8", "replace")


def _name(shopper: bytes) -> str:
    return shopper.decode("utf-8", "replace")

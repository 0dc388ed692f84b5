"""Winners into the database, so that each becomes exactly one order and nothing else can.

A batch is written in one transaction. The quick way inserts everything as new; when anything is odd it is
rolled back to a savepoint, and the careful way decides order by order, under the same locks, by what was
inserted beside what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine, func, select, true
from sqlalchemy.exc import DataError, IntegrityError

from gateway.errors import MessageError
from gateway.offers import NUMBER_MAX
from gateway.orders.bulk import insert
from gateway.orders.database import now_ms, writing
from gateway.orders.dead_letters import DeadLetter, Reason
from gateway.orders.message import Entry, Ticket, Winner
from gateway.orders.tables import MADE_TOGETHER, SECKILL, events, offers, order_units, orders

SHOPPER_MAX_CHARS = 64
ORDER_NO_MAX_CHARS = 32
KEY_MAX_CHARS = 64
INSTANT_MAX_MS = 10**15
BUCKET_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of an entry, for `settle.lua`: winners in it, and those that could not be written."""

    entry: str
    winners: int
    letters: tuple[DeadLetter, ...] = ()


class _Order(NamedTuple):
    """A readable winner."""

    entry: Entry
    winner: Winner
    shopper: str
    ticket: Ticket


class _Offer(NamedTuple):
    """What the ledger says about an offer."""

    campaign: str
    sku: str
    currency: str
    unit_cap: int
    limit: int
    epoch: int


class Ledger:
    """The orders of one database. Threads may share it."""

    def __init__(self, engine: Engine, *, min_pay_window_ms: int, currency: str) -> None:
        """`currency` stands in where an offer's card names none."""
        self._engine = engine
        # SQLite lets one write at a time, and waiting for one's turn here is quicker than asking it again
        # and again.
        self._turn: AbstractContextManager[Any] = Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self._min_pay_window_ms = min_pay_window_ms
        self._currency = currency

    def probe(self) -> None:
        """Take and give back the right to write.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be written now.
        """
        with writing(self._engine) as connection:
            now_ms(connection)

    def write(self, shard: int, entries: Sequence[Entry]) -> list[Settlement]:
        """Write the entries of a shard in one transaction; it is committed when this returns.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away or refuses; nothing, or everything, was
                written (a commit whose answer was lost), so the same entries must be given again.
        """
        letters: dict[str, list[DeadLetter]] = {entry.id: [] for entry in entries}
        batch = []
        for entry in entries:
            for winner in entry.winners:
                order = _read(entry, winner)
                if order is None:
                    letters[entry.id].append(_letter(entry, winner, Reason.UNREADABLE))
                else:
                    batch.append(order)
        if batch:
            with self._turn, writing(self._engine) as connection:
                known = self._offers(connection, {order.entry.offer for order in batch})
                now = now_ms(connection)
                written = [order.ticket.order_no for order in batch]
                if not self._write_all(connection, shard, batch, known, now):
                    written = []
                    for order in batch:
                        reason = self._write_one(connection, shard, order, known, now, written)
                        if reason is not None:
                            letters[order.entry.id].append(_letter(order.entry, order.winner, reason))
                _tell(connection, written, now)
        return [Settlement(entry.id, len(entry.winners), tuple(letters[entry.id])) for entry in entries]

    def _offers(self, connection: Connection, ids: Iterable[str]) -> dict[str, _Offer]:
        # The share lock keeps cap, limit and epoch as read until the orders are committed; recovery and
        # the fence take it exclusively, so they see all of a batch or nothing. SQLite locks it all anyway.
        rows = connection.execute(
            select(
                offers.c.id,
                offers.c.campaign,
                offers.c.sku,
                offers.c.card,
                offers.c.unit_cap,
                offers.c.limit_per_shopper,
                offers.c.epoch,
            )
            .where(offers.c.id.in_(sorted(ids)))
            .order_by(offers.c.id)
            .with_for_update(read=True)
        )
        return {
            row.id: _Offer(
                row.campaign,
                row.sku,
                str(orjson.loads(row.card).get("currency") or self._currency),
                row.unit_cap,
                row.limit_per_shopper,
                row.epoch,
            )
            for row in rows
        }

    def _write_all(
        self, connection: Connection, shard: int, batch: list[_Order], known: dict[str, _Offer], now: int
    ) -> bool:
        """The quick way. False, and nothing written, unless every order is new and acceptable."""
        if any(_refusal(order, known.get(order.entry.offer)) for order in batch):
            return False
        order_rows = [self._order_row(shard, order, known[order.entry.offer], now) for order in batch]
        unit_rows = [row for order in batch for row in _unit_rows(order)]
        try:
            with connection.begin_nested():
                insert(connection, orders, order_rows, skip=False)
                insert(connection, order_units, unit_rows, skip=False)
        except (DataError, IntegrityError):
            return False
        return True

    def _write_one(
        self,
        connection: Connection,
        shard: int,
        order: _Order,
        known: dict[str, _Offer],
        now: int,
        written: list[str],
    ) -> Reason | None:
        """The careful way. None when the order is in the ledger afterwards, else why it cannot be.

        The number of one that was not there before is added to `written`.
        """
        # First of all: an order that was written before an epoch or a cap changed stays written.
        if (there := _content(connection, order.ticket.order_no)) is not None:
            return None if there == _content_of(order) else Reason.ORDER_CONFLICT
        offer = known.get(order.entry.offer)
        if (refusal := _refusal(order, offer)) or offer is None:
            return refusal
        unit_rows = _unit_rows(order)
        try:
            with connection.begin_nested() as attempt:
                row = self._order_row(shard, order, offer, now)
                if insert(connection, orders, [row], skip=True) and (
                    insert(connection, order_units, unit_rows, skip=True) == len(unit_rows)
                ):
                    written.append(order.ticket.order_no)
                    return None
                attempt.rollback()
        except (DataError, IntegrityError):
            return Reason.UNREADABLE
        # Another writer may have been quicker with the very same entry.
        if (there := _content(connection, order.ticket.order_no)) is not None:
            return None if there == _content_of(order) else Reason.ORDER_CONFLICT
        return Reason.UNIT_TAKEN if _any_unit_taken(connection, order) else Reason.SLOT_TAKEN

    def _order_row(self, shard: int, order: _Order, offer: _Offer, now: int) -> tuple[Any, ...]:
        entry, ticket = order.entry, order.ticket
        quantity = len(ticket.units)
        return (
            ticket.order_no,
            entry.offer,
            offer.campaign,
            offer.sku,
            order.shopper,
            quantity,
            ticket.price,
            ticket.price * quantity,
            offer.currency,
            "pending",
            entry.epoch,
            shard,
            entry.bucket,
            entry.id,
            ticket.won_at_ms,
            ticket.pay_by_ms,
            now,
            max(ticket.pay_by_ms, now + self._min_pay_window_ms),
            ticket.key,
        )


def _read(entry: Entry, winner: Winner) -> _Order | None:
    """The winner as an order, or None when no column could hold it."""
    try:
        shopper = winner.shopper.decode()
        ticket = Ticket.parse(winner.ticket)
    except (UnicodeDecodeError, MessageError):
        return None
    # A NUL is the one character of valid UTF-8 that PostgreSQL cannot store.
    if not 0 < len(shopper) <= SHOPPER_MAX_CHARS or "\0" in shopper:
        return None
    if not 0 <= entry.bucket <= BUCKET_MAX or "\0" in entry.offer:
        return None
    if len(ticket.order_no) > ORDER_NO_MAX_CHARS or "\0" in ticket.order_no:
        return None
    if len(ticket.key) > KEY_MAX_CHARS or "\0" in ticket.key:
        return None
    if not 0 <= ticket.price <= NUMBER_MAX or not 0 < ticket.won_at_ms <= ticket.pay_by_ms <= INSTANT_MAX_MS:
        return None
    if len(ticket.units) > 1 and (
        len(set(ticket.units)) < len(ticket.units) or len(set(ticket.slots)) < len(ticket.slots)
    ):
        return None
    return _Order(entry, winner, shopper, ticket)


def _refusal(order: _Order, offer: _Offer | None) -> Reason | None:
    if offer is None:
        return Reason.UNKNOWN_OFFER
    if order.entry.epoch != offer.epoch:
        return Reason.STALE_EPOCH
    if max(order.ticket.units) > offer.unit_cap:
        return Reason.ABOVE_UNIT_CAP
    if max(order.ticket.slots) > offer.limit:
        return Reason.ABOVE_LIMIT
    return None


def _unit_rows(order: _Order) -> list[tuple[Any, ...]]:
    ticket, offer, shopper = order.ticket, order.entry.offer, order.shopper
    if len(ticket.units) == 1:
        return [(ticket.order_no, ticket.units[0], offer, shopper, ticket.slots[0], True, False)]
    return [
        (ticket.order_no, unit, offer, shopper, slot, True, False)
        for unit, slot in zip(ticket.units, ticket.slots, strict=True)
    ]


def _tell(connection: Connection, order_numbers: list[str], now: int) -> None:
    """Say for webhooks that orders were made, in one row for all: a row each would be as many as the orders."""
    if order_numbers:
        body = {"orders": order_numbers, "before": None, "after": "pending", "flow": SECKILL}
        insert(connection, events, [(MADE_TOGETHER, "orders", now, body)], skip=False)


def _letter(entry: Entry, winner: Winner, reason: Reason) -> DeadLetter:
    return DeadLetter(winner.shopper, winner.ticket, entry.offer.encode(), str(entry.epoch).encode(), reason.value)


_Content = tuple[str, str, int, int, int, int, frozenset[tuple[int, int]]]


def _content_of(order: _Order) -> _Content:
    """What must be equal for an order that is there already to be this one."""
    ticket = order.ticket
    units = frozenset(zip(ticket.units, ticket.slots, strict=True))
    return (
        order.entry.offer,
        order.shopper,
        order.entry.epoch,
        ticket.price,
        ticket.won_at_ms,
        ticket.pay_by_ms,
        units,
    )


def _content(connection: Connection, order_no: str) -> _Content | None:
    row = connection.execute(
        select(
            orders.c.offer,
            orders.c.shopper,
            orders.c.epoch,
            orders.c.price,
            orders.c.won_at_ms,
            orders.c.pay_by_ms,
        ).where(orders.c.order_no == order_no)
    ).one_or_none()
    if row is None:
        return None
    # Units that were released since belong to the order all the same.
    units = connection.execute(
        select(order_units.c.unit, order_units.c.slot).where(order_units.c.order_no == order_no)
    )
    return (*row, frozenset((unit.unit, unit.slot) for unit in units))


def _any_unit_taken(connection: Connection, order: _Order) -> bool:
    taken = select(func.count()).where(
        order_units.c.offer == order.entry.offer,
        order_units.c.active == true(),
        order_units.c.unit.in_(order.ticket.units),
    )
    return bool(connection.execute(taken).scalar_one())

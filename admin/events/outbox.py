"""The outbox: what happened, numbered and read in the order of the numbers.

A row is written in the transaction that did what it tells of, without a number. A round numbers what is committed;
whoever reads by number therefore never misses a row that was written early and committed late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from admin.events.tables import event_counter, webhooks
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import MADE_TOGETHER, events

TOGETHER = 200
"""Rows numbered or deleted in one transaction: few enough that others do not wait long."""
READ_TOGETHER = 50
"""Rows read at once; one may stand for hundreds of events."""
EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `data` depends on its kind."""

    id: str
    number: int
    kind: str
    subject: str
    at_ms: int
    data: Mapping[str, Any]


def tell(connection: Connection, kind: str, subject: str, data: Mapping[str, Any], at_ms: int) -> None:
    """Write an event into the outbox, in the transaction that makes it true. `at_ms` is database time, epoch ms."""
    connection.execute(insert(events).values(kind=kind, subject=subject, at_ms=at_ms, body=dict(data)))


def number_some(engine: Engine) -> int:
    """Give the next numbers to some rows that are committed, in the order of their ids; how many rows.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    waiting = select(events).where(events.c.number.is_(None)).order_by(events.c.id).limit(TOGETHER)
    with reading(engine) as connection:
        # SQLite has one right to write, and nobody should wait for it without need.
        if connection.execute(waiting.limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        # Whoever holds the counter is alone: its numbers are committed before the next ones are given out.
        last = int(connection.execute(select(event_counter.c.number).with_for_update()).scalar_one())
        numbers = []
        for row in connection.execute(waiting).all():
            last += len(row.body["orders"]) if row.kind == MADE_TOGETHER else 1
            numbers.append({"row": row.id, "new": last})
        if numbers:
            connection.execute(
                update(events).where(events.c.id == bindparam("row")).values(number=bindparam("new")), numbers
            )
            connection.execute(update(event_counter).values(number=last))
    return len(numbers)


def newest_number(connection: Connection) -> int:
    """The number of the newest event that has one; no smaller number is given out any more."""
    return int(connection.execute(select(event_counter.c.number)).scalar_one())


def after(connection: Connection, number: int, kinds: Sequence[str], at_most: int) -> tuple[list[Event], int]:
    """Events of some kinds after a number, in order, and the number to go on after.

    `kinds` are such as `order.paid` or `order.*`; none means all.
    """
    newest = newest_number(connection)
    found: list[Event] = []
    place = number
    while len(found) < at_most:
        rows = connection.execute(
            select(events)
            .where(events.c.number > place, events.c.number <= newest, *_stored_kinds(kinds))
            .order_by(events.c.number)
            .limit(READ_TOGETHER)
        ).all()
        for row in rows:
            found += [each for each in _events_of(row) if each.number > number and _wanted(each.kind, kinds)]
        if len(rows) < READ_TOGETHER:
            break
        place = rows[-1].number
    else:
        return found[:at_most], found[at_most - 1].number
    return (found, max(number, newest)) if len(found) <= at_most else (found[:at_most], found[at_most - 1].number)


def forget_old(engine: Engine, keep_s: int) -> int:
    """Delete some events that are too old and that every webhook has had; how many rows.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    with reading(engine) as connection:
        before_ms = now_ms(connection) - keep_s * 1000
        had = connection.execute(select(func.min(webhooks.c.position))).scalar_one()
        oldest = select(events.c.id).where(events.c.number.is_not(None)).order_by(events.c.number).limit(TOGETHER)
        old = [events.c.id.in_(oldest), events.c.at_ms < before_ms]
        if had is not None:
            old.append(events.c.number <= had)
        ids = list(connection.execute(select(events.c.id).where(*old)).scalars())
    if ids:
        with writing(engine) as connection:
            connection.execute(delete(events).where(events.c.id.in_(ids)))
    return len(ids)


def _events_of(row: Row[Any]) -> list[Event]:
    """The events that a row stands for."""
    if row.kind != MADE_TOGETHER:
        return [Event(str(row.id), row.number, row.kind, row.subject, row.at_ms, row.body)]
    numbers = row.body["orders"]
    data = {name: value for name, value in row.body.items() if name != "orders"}
    return [
        Event(f"{row.id}.{place}", row.number - len(numbers) + place, "order.created", order_no, row.at_ms, data)
        for place, order_no in enumerate(numbers, 1)
    ]


def _wanted(kind: str, kinds: Sequence[str]) -> bool:
    return not kinds or any(
        each in (kind, EVERYTHING) or (each.endswith(".*") and kind.startswith(each[:-1])) for each in kinds
    )


def _stored_kinds(kinds: Sequence[str]) -> list[ColumnElement[bool]]:
    """What rows to look at; some of them may stand for events of other kinds."""
    if not kinds or EVERYTHING in kinds:
        return []
    wanted = [
        events.c.kind.startswith(each[:-1], autoescape=True) if each.endswith(".*") else events.c.kind == each
        for each in kinds
    ]
    if _wanted("order.created", kinds):
        wanted.append(events.c.kind == MADE_TOGETHER)
    return [or_(*wanted)]

"""The numbered record of what changes about the shop's offerings, written in the transaction of each change.

Every process that prices carts keeps the shop in memory. It asks for the newest number, which costs one row, and
reads what came after the number it knows. A quote remembers the number it was made at, so it can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    and_,
    func,
    insert,
    select,
    update,
)

from gateway.orders.tables import metadata

Kind = Literal["campaign", "coupon", "category", "product"]

change_counter = Table(
    "change_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
"""One row: the number of the newest change."""

changes = Table(
    "changes",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64), nullable=False),
    # What it is now, whole; null when it is gone. Products are not repeated here: they carry their number.
    Column("body", JSON(none_as_null=True)),
    Index("ix_changes_subject", "kind", "subject", "number"),
)


def take_number(connection: Connection) -> int:
    """The number of a change. Whoever has one keeps others waiting until its transaction ends, so that readers
    never see a number before all smaller ones.
    """
    statement = update(change_counter).values(number=change_counter.c.number + 1).returning(change_counter.c.number)
    return int(connection.execute(statement).scalar_one())


def note(connection: Connection, kind: Kind, subject: str, body: Mapping[str, Any] | None) -> int:
    """Record what something is now, or with None that it is gone; its number is returned."""
    number = take_number(connection)
    connection.execute(
        insert(changes).values(number=number, kind=kind, subject=subject, body=None if body is None else dict(body))
    )
    return number


def note_all(connection: Connection, kind: Kind, bodies: Mapping[str, Mapping[str, Any]]) -> None:
    """The same for many at once, in order."""
    if not bodies:
        return
    count = len(bodies)
    statement = update(change_counter).values(number=change_counter.c.number + count)
    last = int(connection.execute(statement.returning(change_counter.c.number)).scalar_one())
    connection.execute(
        insert(changes),
        [
            {"number": number, "kind": kind, "subject": subject, "body": dict(body)}
            for number, (subject, body) in enumerate(bodies.items(), last - count + 1)
        ],
    )


def newest_number(connection: Connection) -> int:
    """The number of the newest change that is committed."""
    return int(connection.execute(select(change_counter.c.number)).scalar_one())


def since(connection: Connection, number: int) -> Sequence[Row[Any]]:
    """Everything recorded after a number, in order."""
    return connection.execute(select(changes).where(changes.c.number > number).order_by(changes.c.number)).all()


def as_of(connection: Connection, kind: Kind, number: int | None = None) -> Sequence[Row[Any]]:
    """What there was of a kind when a change had just been made; by default what there is now."""
    inner = select(changes.c.subject, func.max(changes.c.number).label("number")).where(changes.c.kind == kind)
    if number is not None:
        inner = inner.where(changes.c.number <= number)
    newest = inner.group_by(changes.c.subject).subquery()
    matches = and_(changes.c.number == newest.c.number, changes.c.body.is_not(None))
    return connection.execute(select(changes).join(newest, matches).order_by(changes.c.number)).all()


def as_of_some(
    connection: Connection, kind: Kind, subjects: Sequence[str], number: int
) -> dict[str, Mapping[str, Any]]:
    """What some subjects were when a change had just been made; those that there were not are left out."""
    wanted = changes.c.kind == kind, changes.c.subject.in_(subjects), changes.c.number <= number
    newest = (
        select(changes.c.subject, func.max(changes.c.number).label("number"))
        .where(*wanted)
        .group_by(changes.c.subject)
        .subquery()
    )
    rows = connection.execute(select(changes).join(newest, changes.c.number == newest.c.number))
    return {row.subject: row.body for row in rows if row.body is not None}

"""Plain records: found by key, guarded by a revision, listed in pages, each change with its audit record.

Products, categories, members, sessions and coupons are such. What only one of them knows stays in its service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from admin.audit import service as audit
from admin.errors import Conflict, NotFound, StaleRevision
from admin.paging import Numbered, Page, read_cursor, split, write_cursor
from gateway.orders.database import now_ms

ViewT = TypeVar("ViewT", bound=BaseModel)


class Listed(NamedTuple):
    """The rows of a page, the cursor of the next one if there are more, and how many there are if it was asked."""

    rows: Sequence[Row[Any]]
    next: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Records:
    """A table of plain records. `word` names one in messages and in the audit log, `taken` refuses a second one.

    `key` and `order` are columns; `order` sorts the list, so no two records may be alike in it. `show`, where it
    is asked for, makes of a row what people see; the audit log keeps that.
    """

    word: str
    table: Table
    key: str
    order: tuple[str, ...]
    newest_first: bool = False
    taken: str = "there is already a {word} {key}"

    def find(self, connection: Connection, key: str, *, lock: bool = False) -> Row[Any]:
        """A record.

        Raises:
            NotFound: there is none with this key.
        """
        statement = select(self.table).where(self._key == key)
        row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
        if row is None:
            raise NotFound(f"there is no {self.word} {key}")
        return row

    def lock(self, connection: Connection, key: str, if_match: int | None) -> Row[Any]:
        """A record that nobody else can change until the transaction ends.

        Raises:
            NotFound: there is none with this key.
            StaleRevision: it is not at the revision that the caller knows.
        """
        row = self.find(connection, key, lock=True)
        if if_match is not None and if_match != row.revision:
            raise StaleRevision(f"{key} is at revision {row.revision}", revision=row.revision)
        return row

    def insert(self, connection: Connection, values: Mapping[str, Any]) -> Row[Any]:
        """Store a new record, which is returned.

        Raises:
            Conflict: the key is taken.
        """
        key, now = values[self.key], now_ms(connection)
        stamps = {"revision": 1, "created_at_ms": now, "updated_at_ms": now}
        try:
            connection.execute(insert(self.table).values({**values, **stamps}))
        except IntegrityError as error:
            message = self.taken.format(word=self.word, key=key)
            raise Conflict(message, code=f"{self.key}_taken", field=self.key) from error
        return self.find(connection, key)

    def update(self, connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> Row[Any]:
        """Store other values and the next revision; the record as it is then is returned."""
        key = getattr(row, self.key)
        stamps = {"revision": self.table.c.revision + 1, "updated_at_ms": now_ms(connection)}
        connection.execute(update(self.table).where(self._key == key).values({**values, **stamps}))
        return self.find(connection, key)

    def create(
        self, connection: Connection, values: Mapping[str, Any], show: Callable[[Row[Any]], ViewT], *, actor: str
    ) -> ViewT:
        """Store a new record and tell the audit log.

        Raises:
            Conflict: the key is taken.
        """
        made = show(self.insert(connection, values))
        audit.record(connection, actor, "create", self.word, values[self.key], after=made.model_dump())
        return made

    def change(
        self,
        connection: Connection,
        row: Row[Any],
        values: Mapping[str, Any],
        show: Callable[[Row[Any]], ViewT],
        *,
        actor: str,
    ) -> ViewT:
        """Store other values of a locked record and tell the audit log."""
        before = show(row).model_dump()
        changed = show(self.update(connection, row, values))
        key = getattr(row, self.key)
        audit.record(connection, actor, "change", self.word, key, before=before, after=changed.model_dump())
        return changed

    def remove(
        self, connection: Connection, row: Row[Any], show: Callable[[Row[Any]], BaseModel], *, actor: str
    ) -> None:
        """Delete a locked record and tell the audit log."""
        key = getattr(row, self.key)
        connection.execute(delete(self.table).where(self._key == key))
        audit.record(connection, actor, "delete", self.word, key, before=show(row).model_dump())

    def page(self, connection: Connection, wanted: Page, *conditions: ColumnElement[bool]) -> Listed:
        """The records of a page that meet all conditions, as `wanted` sorts them.

        Raises:
            Invalid: the cursor is not one of this list.
        """
        columns, downwards = self._sorted(wanted)
        position = read_cursor(wanted.cursor, *(column.type.python_type for column in columns))
        statement = select(self.table).where(*conditions).limit(wanted.limit + 1)
        statement = statement.order_by(*(column.desc() if downwards else column for column in columns))
        if position is not None:
            here, last = tuple_(*columns), tuple_(*position)
            statement = statement.where(here < last if downwards else here > last)
        total = None
        if isinstance(wanted, Numbered):
            statement = statement.offset(wanted.offset)
            if wanted.count:
                counted = select(func.count()).select_from(self.table).where(*conditions)
                total = connection.execute(counted).scalar_one()
        rows, end = split(connection.execute(statement).all(), wanted.limit)
        following = None if end is None else write_cursor(*(getattr(end, column.name) for column in columns))
        return Listed(rows, following, total)

    def _sorted(self, wanted: Page) -> tuple[list[Column[Any]], bool]:
        """The columns that sort a page, and whether the largest come first."""
        sort = wanted.sort if isinstance(wanted, Numbered) else None
        if sort is None:
            return [self.table.c[name] for name in self.order], self.newest_first
        name = sort.removeprefix("-")
        column = self.table.c[name if name in self.table.c else f"{name}_ms"]
        # The key makes no two alike.
        columns = [column] if column is self._key else [column, self._key]
        return columns, sort.startswith("-")

    @property
    def _key(self) -> Column[Any]:
        return self.table.c[self.key]


def containing(text: str, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a text is part of any of some columns, in upper or lower case."""
    return or_(*(column.icontains(text, autoescape=True) for column in columns))

"""Plain records: found by key, guarded by a revision, listed in pages, each change with its audit record.

Products, categories, members, sessions and coupons are such. What only one of them knows stays in its service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Column, Connection, Row, Select, Table, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from admin.audit import service as audit
from admin.errors import Conflict, NotFound, StaleRevision
from admin.paging import Page, read_cursor, split, write_cursor
from gateway.orders.database import now_ms

ViewT = TypeVar("ViewT", bound=BaseModel)


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

    def listed(self, wanted: Page) -> Select[Any]:
        """The statement of a page, for `page`; a service adds its conditions.

        Raises:
            Invalid: the cursor is not one of this list.
        """
        columns = [self.table.c[name] for name in self.order]
        position = read_cursor(wanted.cursor, *(column.type.python_type for column in columns))
        statement = select(self.table).limit(wanted.limit + 1)
        if self.newest_first:
            statement = statement.order_by(*(column.desc() for column in columns))
        else:
            statement = statement.order_by(*columns)
        if position is not None:
            here, last = tuple_(*columns), tuple_(*position)
            statement = statement.where(here < last if self.newest_first else here > last)
        return statement

    def page(
        self, connection: Connection, statement: Select[Any], wanted: Page
    ) -> tuple[Sequence[Row[Any]], str | None]:
        """The rows of a page, and the cursor of the next one when there are more."""
        rows, last = split(connection.execute(statement).all(), wanted.limit)
        return rows, None if last is None else write_cursor(*(getattr(last, name) for name in self.order))

    @property
    def _key(self) -> Column[Any]:
        return self.table.c[self.key]

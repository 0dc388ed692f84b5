"""What a sheet is: the columns of a CSV file, the input that a row must be, and how rows are stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, Row, Table, select, text

from admin.errors import FieldError
from admin.inputs import examine
from admin.resources import Resources
from admin.sheets.cells import show_text, unguard

ROWS_MAX = 200_000
"""Rows of one file, without its header."""
TOGETHER = 1000
"""Rows that are judged and stored at once."""
_ASKED_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `path` is its place in the input, `stored` the column of the table that it goes to.

    An empty cell clears a column that `clears`; elsewhere it leaves what is there, or takes the default.
    """

    name: str
    path: tuple[str, ...]
    stored: str
    read: Callable[[str], Any]
    show: Callable[[Any], str] = show_text
    clears: bool = False


@dataclass(frozen=True, slots=True)
class RowError(FieldError):
    """A broken rule in a row. The header is row 1, as spreadsheets count."""

    row: int


@dataclass(frozen=True, slots=True)
class Record:
    """One row that is good by itself: its number, its key, and all columns of the table that a file can set."""

    row: int
    key: str
    values: dict[str, Any]


@dataclass(slots=True)
class Plan:
    """What storing some records means. `restocked` are changed in nothing but their stock."""

    made: list[Record] = field(default_factory=list)
    changed: list[Record] = field(default_factory=list)
    restocked: list[Record] = field(default_factory=list)
    unchanged: int = 0
    errors: list[RowError] = field(default_factory=list)


class Sheet(ABC):
    """The CSV file of one kind of thing."""

    name: ClassVar[str]
    """As paths and commands call it."""
    kind: ClassVar[str]
    """As the audit log calls one of them."""
    key: ClassVar[str]
    """The column that tells rows apart; a row with a known key changes what there is."""
    table: ClassVar[Table]
    model: ClassVar[type[BaseModel]]
    columns: ClassVar[tuple[Column, ...]]
    whole: ClassVar[bool] = False
    """Whether rows can only be judged all together."""
    rows_max: ClassVar[int] = ROWS_MAX

    def column(self, name: str) -> Column | None:
        """The column of a header's cell."""
        return next((each for each in self.columns if each.name == name), None)

    def exported(self, connection: Connection) -> Sequence[Column]:
        """The columns of a file with everything."""
        del connection
        return self.columns

    @abstractmethod
    def shown(self, resources: Resources, row: Row[Any]) -> Mapping[str, Any]:
        """A stored row as the input that would make it; instants as texts."""

    @abstractmethod
    def present(self, row: Row[Any]) -> dict[str, Any]:
        """The same with instants as numbers, to be merged with cells."""

    @abstractmethod
    def values(self, given: Any) -> dict[str, Any]:
        """A checked input as columns of the table."""

    def obstacle(self, row: Row[Any] | None, values: Mapping[str, Any]) -> FieldError | None:
        """Why what there is may not take these values."""
        del row, values
        return None

    def misplaced(
        self, connection: Connection, records: Sequence[Record], *, lock: bool = False
    ) -> Mapping[str, FieldError]:
        """What is wrong between rows, by key. Locked, it stays true until the transaction ends."""
        del connection, records, lock
        return {}

    @abstractmethod
    def take_number(self, connection: Connection) -> int | None:
        """A number for a change of many, where such changes are numbered."""

    @abstractmethod
    def write(self, connection: Connection, plan: Plan, columns: Sequence[str], number: int | None) -> None:
        """Store a plan, of the things there are already only these columns."""

    def existing(self, connection: Connection, keys: Iterable[str], *, lock: bool = False) -> dict[str, Row[Any]]:
        """The stored rows there are among some keys."""
        wanted = sorted(keys)  # locked in this order, so that two transactions cannot wait for each other
        key = self.table.c[self.key]
        found: dict[str, Row[Any]] = {}
        if connection.dialect.name == "postgresql":
            # A plan that was made while the table was empty would read all of it, again and again as it grows.
            connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        for start in range(0, len(wanted), _ASKED_TOGETHER):
            statement = select(self.table).where(key.in_(wanted[start : start + _ASKED_TOGETHER])).order_by(key)
            for row in connection.execute(statement.with_for_update() if lock else statement):
                found[row._mapping[key]] = row
        return found

    def field_of(self, path: str) -> str:
        """The column of a path of the input."""
        parts = tuple(path.split("."))
        return next((each.name for each in self.columns if parts[: len(each.path)] == each.path), path)


def judge(
    sheet: Sheet, columns: Sequence[Column], cells: Mapping[int, Sequence[str]], present: Mapping[str, Row[Any]]
) -> Iterator[Record | list[RowError]]:
    """Each row by itself, in order: the record it stands for, or what is wrong with it."""
    at = next(index for index, each in enumerate(columns) if each.name == sheet.key)
    for number, texts in cells.items():
        if len(texts) != len(columns):
            message = f"has {len(texts)} cells, the header {len(columns)}"
            yield [RowError("", "wrong_cell_count", message, number)]
            continue
        errors: list[RowError] = []
        row = present.get(unguard(texts[at]))
        body = sheet.present(row) if row is not None else {}
        for column, cell in zip(columns, texts, strict=True):
            try:
                value = column.read(unguard(cell))
            except PydanticCustomError as error:
                errors.append(RowError(column.name, error.type, error.message(), number))
                continue
            if value is not None or column.clears:
                _put(body, column.path, value)
        given, problems = examine(sheet.model, _pruned(body))
        told = {each.field for each in errors}
        for _, each in problems:
            name = sheet.field_of(each.field)
            if name not in told:
                errors.append(RowError(name, each.code, each.message, number))
        if errors or given is None:
            yield errors
            continue
        values = sheet.values(given)
        yield Record(number, values[sheet.key], values)


def _put(body: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        inner = body.get(name)
        body[name] = dict(inner) if inner else {}
        body = body[name]
    body[path[-1]] = value


def _pruned(value: Any) -> Any:
    """Without anything empty: the input's defaults stand for it."""
    if not isinstance(value, dict):
        return value
    parts = {name: _pruned(part) for name, part in value.items()}
    return {name: part for name, part in parts.items() if part is not None and part != {}}


def plan(sheet: Sheet, columns: Sequence[str], records: Sequence[Record], present: Mapping[str, Row[Any]]) -> Plan:
    """What storing records means, given what is there."""
    made = Plan()
    for record in records:
        row = present.get(record.key)
        obstacle = sheet.obstacle(row, {name: record.values[name] for name in columns})
        if obstacle is not None:
            made.errors.append(RowError(obstacle.field, obstacle.code, obstacle.message, record.row))
            continue
        if row is None:
            made.made.append(record)
            continue
        different = {name for name in columns if row._mapping[name] != record.values[name]}
        if not different:
            made.unchanged += 1
        elif different == {"stock"}:
            made.restocked.append(record)
        else:
            made.changed.append(record)
    return made

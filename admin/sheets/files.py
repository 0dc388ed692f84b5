"""Reading a CSV file: UTF-8 with or without a byte order mark, comma, double quotes, a header."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from admin.errors import FieldError, Invalid, Malformed
from admin.sheets.cells import unguard
from admin.sheets.model import Column, Sheet

ENCODING = "utf-8-sig"


@dataclass(frozen=True, slots=True)
class Survey:
    """A file at first sight: its columns, and how many rows there are below them."""

    key: str
    columns: tuple[Column, ...]
    rows: int

    @property
    def stored(self) -> list[str]:
        """The columns of the table that the file sets, apart from the key."""
        return [name for name in dict.fromkeys(each.stored for each in self.columns) if name != self.key]


def survey(sheet: Sheet, file: IO[bytes]) -> Survey:
    """Read a file through, without judging its rows.

    Raises:
        Malformed: it is not CSV in UTF-8.
        Invalid: the header is not one of this sheet, or there are too many rows.
    """
    rows = records(file)
    _, header = next(rows, (0, ()))
    columns = _columns(sheet, header)
    count = sum(1 for _ in rows)
    if count > sheet.rows_max:
        message = f"{count} rows; a file may have at most {sheet.rows_max}: split it"
        raise Invalid.one("", "too_many_rows", message)
    return Survey(sheet.key, columns, count)


def records(file: IO[bytes]) -> Iterator[tuple[int, Sequence[str]]]:
    """Each record with its number, the first is 1; those without any text are left out.

    Raises:
        Malformed: it is not CSV in UTF-8.
    """
    file.seek(0)
    text = io.TextIOWrapper(file, ENCODING, newline="")
    number = 0
    try:
        for number, cells in enumerate(csv.reader(text, strict=True), 1):
            if any(cells):
                yield number, cells
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8, near row {number + 1}: save it as CSV UTF-8"
        raise Malformed(message, code="not_utf8") from error
    except csv.Error as error:
        raise Malformed(f"the file is not CSV, in row {number + 1}: {error}", code="not_csv") from error
    finally:
        # Whoever stopped reading in the middle may have closed the file since.
        if not file.closed:
            text.detach()


def batches(file: IO[bytes], size: int) -> Iterator[Mapping[int, Sequence[str]]]:
    """The rows below the header, some at a time, by their number."""
    rows = itertools.islice(records(file), 1, None)
    while batch := dict(itertools.islice(rows, size)):
        yield batch


def _columns(sheet: Sheet, header: Sequence[str]) -> tuple[Column, ...]:
    errors = []
    columns: list[Column] = []
    for cell in header:
        name = unguard(cell).strip()
        column = sheet.column(name)
        if column is None:
            told = ascii(name[:80])[1:-1]
            errors.append(FieldError(told, "unknown_column", f"{sheet.name} have no such column"))
        elif column in columns:
            errors.append(FieldError(name, "repeated", "each column once"))
        else:
            columns.append(column)
    if sheet.key not in {each.name for each in columns}:
        known = ", ".join(each.name for each in sheet.columns)
        message = f"the first row must name columns, this one among them, separated by commas; there are {known}"
        errors.append(FieldError(sheet.key, "missing", message))
    if errors:
        raise Invalid(errors)
    return tuple(columns)

"""Cells of a CSV file: values as text, and text as values.

A spreadsheet takes a cell for a formula when it begins with one of a few characters. Such cells are exported with
an apostrophe before them, and lose it again when they are imported.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from admin.inputs import refuse

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def guard(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """The text of such a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def read_text(text: str) -> str | None:
    """A text; an empty cell has none."""
    return text or None


def read_whole(text: str) -> int | None:
    """A whole number.

    Raises:
        PydanticCustomError: it is something else.
    """
    if not text.strip():
        return None
    if re.fullmatch(r"\s*-?\d{1,15}\s*", text, re.ASCII) is None:
        raise refuse("not_an_integer", "want a whole number, without separators (money is in minor units)")
    return int(text)


def read_flag(text: str) -> bool | None:
    """True or false, in any case: spreadsheets change it.

    Raises:
        PydanticCustomError: it is something else.
    """
    word = text.strip().lower()
    if word not in {"", "true", "false"}:
        raise refuse("not_a_boolean", "want true or false")
    return None if not word else word == "true"


def read_list(text: str) -> list[str] | None:
    """Texts separated by `|`; one that has such a character itself stands in quotes.

    Raises:
        PydanticCustomError: a quote is not closed.
    """
    if not text:
        return []
    try:
        return next(csv.reader([text], delimiter="|", strict=True))
    except (csv.Error, StopIteration) as error:
        raise refuse("bad_form", "want texts separated by |") from error


def show_text(value: Any) -> str:
    """A text or a number; nothing for null."""
    return "" if value is None else str(value)


def show_flag(value: bool) -> str:
    """True or false."""
    return "true" if value else "false"


def show_list(values: Sequence[str]) -> str:
    """Texts as `read_list` reads them."""
    line = io.StringIO()
    csv.writer(line, delimiter="|", lineterminator="").writerow(values)
    return line.getvalue()

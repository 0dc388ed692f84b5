"""Lists in pages: an opaque cursor says where the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import Field
from sqlalchemy import Engine, Table, select

from admin.errors import Invalid
from admin.inputs import Query, QueryFlag, QueryInt
from gateway.orders.database import reading

RowT = TypeVar("RowT")

PAGE_DEFAULT = 50
PAGE_MAX = 500
CURSOR_MAX = 1600
"""Longest cursor, characters: a list may be sorted by a name of 200 characters."""
OFFSET_MAX = 1_000_000


class Page(Query):
    """The query parameters of every list."""

    limit: Annotated[QueryInt, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT
    cursor: Annotated[str, Field(min_length=1, max_length=CURSOR_MAX)] | None = None


class Numbered(Page):
    """The query parameters of a list that has page numbers, too. A list says itself by what it can be sorted."""

    sort: str | None = None
    offset: Annotated[QueryInt, Field(le=OFFSET_MAX, description="items to skip")] = 0
    count: Annotated[QueryFlag, Field(description="tell in `total` how many there are")] = False


def write_cursor(*position: int | str) -> str:
    """A URL-safe text for the sort key of the last item of a page."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).rstrip(b"=").decode()


def read_cursor(cursor: str | None, *kinds: type) -> list[int | str] | None:
    """The sort key that a cursor stands for, checked against the types it must have.

    Raises:
        Invalid: this list never gave out such a cursor.
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = orjson.loads(raw)
    except (binascii.Error, ValueError):
        position = None
    if (
        not isinstance(position, list)
        or [type(part) for part in position] != list(kinds)
        or any(isinstance(part, str) and "\0" in part for part in position)
        or any(isinstance(part, int) and abs(part) >= 2**63 for part in position)
    ):
        raise Invalid.one("cursor", "bad_cursor", "want the `next` of an earlier page of this list")
    return position


def split(rows: Sequence[RowT], limit: int) -> tuple[Sequence[RowT], RowT | None]:
    """The rows of this page, and the last of them when `limit` + 1 rows show that there are more."""
    shown = rows[:limit]
    return shown, shown[-1] if len(rows) > limit else None


def newest_of(engine: Engine, table: Table, shopper: str, wanted: Page) -> tuple[Sequence[Any], str | None]:
    """A page of a shopper's rows in a table with a counted `id`, newest first, and the cursor of the next page.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int)
    statement = select(table).where(table.c.shopper == shopper).order_by(table.c.id.desc()).limit(wanted.limit + 1)
    if position is not None:
        statement = statement.where(table.c.id < position[0])
    with reading(engine) as connection:
        shown, last = split(connection.execute(statement).all(), wanted.limit)
    return shown, None if last is None else write_cursor(last.id)

"""The order of what begins at some time: what has begun first, then by the start. Pages go on behind a place."""

from __future__ import annotations

from dataclasses import dataclass

from admin.paging import read_cursor, write_cursor


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a list: `starts_at_ms` is 0 for what has begun, `rank` its place beside others."""

    starts_at_ms: int
    rank: int
    code: str

    def cursor(self) -> str:
        """The cursor of what comes behind it."""
        return write_cursor(self.starts_at_ms, self.rank, self.code)


def begin(cursor: str | None) -> Place | None:
    """The place behind which a page begins.

    Raises:
        Invalid: the cursor is not one of such a list.
    """
    place = read_cursor(cursor, int, int, str)
    return None if place is None else Place(int(place[0]), int(place[1]), str(place[2]))

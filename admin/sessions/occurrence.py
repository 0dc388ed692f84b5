"""When a session takes place on a date. Pure.

Days on which clocks change are not as long as others. A time of day that the clocks skip becomes the first instant
after the gap; one that they show twice is the first of the two. So a session that lies in a gap entirely is empty:
it starts and ends at the same instant.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class TimesOfDay(Protocol):
    """A session, as a row or a model: `HH:MM` each; at or before `starts`, `ends` belongs to the next day."""

    @property
    def starts(self) -> str:
        """When it starts."""

    @property
    def ends(self) -> str:
        """When it ends."""


def occurrence(session: TimesOfDay, day: date, zone: ZoneInfo) -> tuple[int, int]:
    """The window of a session that starts on a civil date: first instant, and first instant after it, epoch ms.

    Raises:
        OverflowError: the session would end after the year 9999.
    """
    starts, ends = time.fromisoformat(session.starts), time.fromisoformat(session.ends)
    last_day = day if ends > starts else day + timedelta(days=1)
    return instant_ms(datetime.combine(day, starts), zone), instant_ms(datetime.combine(last_day, ends), zone)


def instant_ms(wall: datetime, zone: ZoneInfo) -> int:
    """The epoch ms at which clocks first show a time or, if they skip it, at which they go on after it."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None
    assert after is not None
    utc = wall.replace(tzinfo=UTC)
    if before >= after:
        return (utc - before - _EPOCH) // _MILLISECOND
    # Skipped: the change lies between the two readings of the time.
    early, late = (utc - after - _EPOCH) // _MILLISECOND, (utc - before - _EPOCH) // _MILLISECOND
    while late - early > 1:
        middle = (early + late) // 2
        if (_EPOCH + middle * _MILLISECOND).astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late

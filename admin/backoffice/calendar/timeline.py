"""Campaigns as rows of a table whose columns are days, or hours of days. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from admin.live.models import CalendarEntry


@dataclass(frozen=True, slots=True)
class Cell:
    """So many columns of a row: a part of a day without the campaign, or the campaign's whole time."""

    span: int
    bar: bool = False
    today: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign on the timeline; it may begin before the first column, or go on behind the last."""

    entry: CalendarEntry
    cells: Sequence[Cell]
    earlier: bool
    later: bool


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are shown, each of so many columns."""

    days: Sequence[date]
    per_day: int
    zone: ZoneInfo
    today: date

    @property
    def columns(self) -> int:
        """How many there are."""
        return len(self.days) * self.per_day

    def row(self, entry: CalendarEntry) -> Row:
        """One campaign; however short, it fills a column."""
        starts, stops = self._column(entry.starts_at), self._column(entry.ends_at, up=True)
        begins = min(max(starts, 0), self.columns - 1)
        ends = min(max(stops, begins + 1), self.columns)
        cells = [
            *self._empty(0, begins),
            Cell(ends - begins, bar=True, today=self._today(begins, ends)),
            *self._empty(ends, self.columns),
        ]
        return Row(entry, cells, starts < 0, stops > self.columns)

    def on(self, day: date, entries: Iterable[CalendarEntry]) -> list[CalendarEntry]:
        """Those of some campaigns that run on a day."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        following = midnight.date() + timedelta(days=1)
        ends = datetime(following.year, following.month, following.day, tzinfo=self.zone)
        return [
            each
            for each in entries
            if datetime.fromisoformat(each.starts_at) < ends and datetime.fromisoformat(each.ends_at) > midnight
        ]

    def _column(self, instant: str, *, up: bool = False) -> int:
        """The column that an instant is in or, with `up`, the first one behind it."""
        local = datetime.fromisoformat(instant).astimezone(self.zone)
        day = (local.date() - self.days[0]).days
        seconds = (local.hour * 60 + local.minute) * 60 + local.second
        width = 86_400 // self.per_day
        return day * self.per_day + (-(-seconds // width) if up else seconds // width)

    def _today(self, first: int, end: int) -> bool:
        """Whether the columns from one to another are all today's."""
        return self.days[first // self.per_day] == self.days[(end - 1) // self.per_day] == self.today

    def _empty(self, first: int, end: int) -> Iterable[Cell]:
        """The columns from one to another, cut at midnights."""
        while first < end:
            day = first // self.per_day
            until = min(end, (day + 1) * self.per_day)
            yield Cell(until - first, today=self.days[day] == self.today)
            first = until


def month(day: date) -> list[date]:
    """All days of a day's month."""
    first = day.replace(day=1)
    return [first + timedelta(days=each) for each in range((following_month(first) - first).days)]


def week(day: date) -> list[date]:
    """Monday to Sunday of a day's week."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=each) for each in range(7)]


def following_month(day: date) -> date:
    """The first day of the next month."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)

"""The page of the calendar: a month or a week of campaigns, by type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from babel.dates import format_date, format_skeleton
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from admin.backoffice.calendar import timeline
from admin.backoffice.calendar.timeline import Span
from admin.backoffice.sales.words import CAMPAIGN_STATES, type_titles
from admin.backoffice.showing import show
from admin.live.models import Calendar, CalendarOverlap
from admin.pages.asking import ask
from admin.pages.locales import current
from admin.pages.locales import lazy_gettext as _

WHY: Mapping[str, Any] = {
    "priority": _("%(winner)s goes first: its priority is higher."),
    "start": _("%(winner)s goes first: its priority is the same, and it begins later."),
    "code": _("%(winner)s goes first: all else is the same, and its code comes first."),
    "own_button": _("They do not compete: one of them has a button of its own."),
}
YEARS = range(1971, 2286)


class CalendarView(CustomView):
    """What runs when."""

    menu_label = _("Calendar")
    icon = "fa-solid fa-calendar-days"
    path = "/calendar"

    @route("")
    async def index(self, request: Request) -> Response:
        """A month, or a week, around a day."""
        zone = request.state.resources.zone
        today = datetime.now(zone).date()
        day = _day(request.query_params.get("day", ""), today)
        weekly = request.query_params.get("view") == "week"
        days = timeline.week(day) if weekly else timeline.month(day)
        span = Span(days, 24 if weekly else 1, zone, today)
        calendar: Calendar = await ask(request, "read_calendar", query={"from": str(days[0]), "to": str(days[-1])})
        titles, clashes = type_titles(), _clashes(calendar)
        order = list(titles)
        entries = sorted(calendar.entries, key=lambda each: (_place(order, each.type), each.starts_at, each.code))
        return show(
            self,
            request,
            "calendar/page.html",
            title=_("Calendar"),
            weekly=weekly,
            day=day,
            span=span,
            heading=_heading(days, weekly),
            heads=[(each, _letters(each, weekly), format_date(each, "full", locale=current())) for each in days],
            groups=[
                (titles.get(kind, kind), [span.row(each) for each in some])
                for kind, some in groupby(entries, key=lambda each: each.type)
            ],
            by_day=[(each, format_date(each, "full", locale=current()), span.on(each, entries)) for each in days],
            entries={each.code: each for each in entries},
            clashes=[pair for pair in clashes if pair[1].winner is not None],
            apart=[pair for pair in clashes if pair[1].winner is None],
            more=calendar.more,
            types=titles,
            states=CAMPAIGN_STATES,
            why=WHY,
            previous=days[0] - timedelta(days=1),
            following=days[-1] + timedelta(days=1),
        )


def _day(text: str, today: date) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return today
    return found if found.year in YEARS else today


def _place(order: list[str], kind: str) -> int:
    return order.index(kind) if kind in order else len(order)


def _heading(days: list[date], weekly: bool) -> str:
    if not weekly:
        return str(format_skeleton("yMMMM", days[0], locale=current()))
    return " – ".join(format_date(each, "medium", locale=current()) for each in (days[0], days[-1]))


def _letters(day: date, weekly: bool) -> str:
    return str(format_skeleton("MEd", day, locale=current())) if weekly else str(day.day)


def _clashes(calendar: Calendar) -> list[tuple[str, CalendarOverlap]]:
    """Every pair of campaigns that share goods and time, once."""
    found: dict[frozenset[str], tuple[str, CalendarOverlap]] = {}
    for entry in calendar.entries:
        for each in entry.overlaps:
            found.setdefault(frozenset((entry.code, each.code)), (entry.code, each))
    return sorted(found.values(), key=lambda pair: (pair[0], pair[1].code))

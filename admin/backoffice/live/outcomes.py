"""What becomes of clicks, in words; a chart draws those together that mean the same to an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from admin.backoffice.sales.words import Word
from admin.live.models import Live, LivePoint
from admin.pages import charts
from admin.pages.charts import Series
from admin.pages.locales import gettext, number, when
from admin.pages.locales import lazy_gettext as _
from admin.reports.sheet import OUTCOMES

MINUTE = 60
"""A chart has room for so many seconds from the beginning."""

WORDS: Mapping[str, Any] = {
    "won": _("Won"),
    "already_won": _("Had won before"),
    "sold_out": _("Sold out"),
    "limit_reached": _("Limit reached"),
    "not_started": _("Too early"),
    "ended": _("Too late"),
    "paused": _("While paused"),
    "not_eligible": _("Not in the audience"),
    "rate_limited": _("Clicked too fast"),
    "busy": _("Too busy"),
    "unavailable": _("Not available"),
    "unknown": _("Outcome not known at once"),
}

GROUPS: Sequence[tuple[Any, Sequence[str]]] = (
    (_("Won"), ("won",)),
    (_("Holds all they may"), ("already_won", "limit_reached")),
    (_("Sold out"), ("sold_out",)),
    (_("Not open to them"), ("not_started", "ended", "paused", "not_eligible")),
    (_("Clicked too fast"), ("rate_limited",)),
    (_("Failed"), ("busy", "unavailable", "unknown")),
)

PARTS: Mapping[str, Any] = {
    "redis": _("Redis"),
    "writer": _("Order writer"),
    "gateways": _("Gateways"),
    "ledger": _("Database"),
}

REASONS: Mapping[str, Any] = {
    "redis_away": _("Redis cannot be reached: nobody can buy."),
    "redis_refuses": _("Redis refuses to answer: look at its log."),
    "redis_cannot_write": _("Redis cannot write its append-only file: look for a full disk."),
    "clients_not_told": _("This Redis does not tell who is connected."),
    "writer_silent": _("No order writer has asked Redis for %(seconds)s s: sales go on, orders wait."),
    "writer_late": _("The oldest winners have waited for %(seconds)s s to be written."),
    "no_gateway": _("No gateway is connected to Redis: nobody can buy."),
    "database_away": _("The database cannot be reached: sales go on, orders wait in Redis."),
}

HEALTH: Mapping[bool, Word] = {True: Word(_("works"), "green"), False: Word(_("does not work"), "red")}


def told(outcome: str) -> str:
    """An outcome in words; one that this version does not know as it is."""
    return str(WORDS.get(outcome, outcome))


def table(counts: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Outcomes with their words and counts: those that there are always, then the others there were."""
    return [(each, told(each), counts.get(each, 0)) for each in (*OUTCOMES, *sorted(counts.keys() - set(OUTCOMES)))]


def grouped(counts: Mapping[str, float]) -> list[float]:
    """Counts by the groups of a chart."""
    return [sum(counts.get(each, 0) for each in outcomes) for _name, outcomes in GROUPS]


def minute(live: Live, zone: ZoneInfo) -> tuple[list[LivePoint], list[str]]:
    """At least a minute of history, with what the seconds are called; before the first sample nothing is drawn."""
    lacking = max(MINUTE - len(live.history), 0)
    empty = LivePoint(at="", clicks={}, held=live.history[0].held if live.history else 0)
    points = [empty] * lacking + list(live.history)
    return points, [when(point.at, zone, "clock") if point.at else "" for point in points]


def rates(points: Sequence[LivePoint], clock: Sequence[str]) -> Any:
    """The chart of clicks per second."""
    seconds = [grouped(point.clicks) for point in points]
    series = [Series(str(name), [each[index] for each in seconds]) for index, (name, _of) in enumerate(GROUPS)]
    return charts.columns("rates", gettext("Clicks per second"), series, clock)


def sold(points: Sequence[LivePoint], clock: Sequence[str]) -> Any:
    """The chart of units that shoppers hold."""
    return charts.steps("sold", gettext("Units sold"), [point.held for point in points], clock, number)

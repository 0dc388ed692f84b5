"""The campaigns of some days, and which of them hold the same goods at the same time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from admin.campaigns.states import state_of
from admin.campaigns.stored import as_object
from admin.campaigns.tables import campaigns
from admin.errors import Invalid
from admin.gate.goods import Goods, goods_of
from admin.gate.overlaps import overlaps
from admin.live.models import Calendar, CalendarDays, CalendarEntry, CalendarOverlap
from admin.promotions.campaign import Campaign
from admin.quotes.book import Book
from admin.resources import Resources
from admin.sessions.tables import sessions
from gateway.orders.database import now_ms, reading

DAYS_MAX = 62
ENTRIES_MAX = 300
SKUS_SHOWN = 5


def make(resources: Resources, wanted: CalendarDays) -> Calendar:
    """Campaigns that run on one of these days of the shop's zone, the earliest start first.

    Raises:
        Invalid: the days are too many, or end before they begin.
    """
    days = (wanted.last - wanted.first).days
    if days < 0:
        raise Invalid.one("to", "before_from", "want a day that is not before `from`")
    if days >= DAYS_MAX:
        raise Invalid.one("to", "too_many_days", f"want at most {DAYS_MAX} days")
    begins, ends = _begin(resources, wanted.first), _begin(resources, wanted.last + timedelta(days=1))
    book = resources.books.fresh()
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        rows = connection.execute(
            select(campaigns)
            .where(campaigns.c.archived.is_(False), campaigns.c.removing.is_(False))
            .where(campaigns.c.starts_at_ms < ends, campaigns.c.ends_at_ms > begins)
            .order_by(campaigns.c.starts_at_ms, campaigns.c.code)
            .limit(ENTRIES_MAX + 1)
        ).all()
        names = {row.id: row.name for row in connection.execute(select(sessions.c.id, sessions.c.name))}
    shown = [row for row in rows[:ENTRIES_MAX] if row.terminated_at_ms is None or row.terminated_at_ms > begins]
    found = _overlaps(resources, book, {row.code for row in shown}, now)
    return Calendar(
        zone=str(resources.zone),
        entries=[_entry(resources, row, now, names, found[row.code]) for row in shown],
        more=len(rows) > ENTRIES_MAX,
    )


def _begin(resources: Resources, day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=resources.zone).timestamp()) * 1000


def _entry(
    resources: Resources, row: Row[Any], now: int, names: Mapping[str, str], found: list[CalendarOverlap]
) -> CalendarEntry:
    terms = as_object(row.terms)
    session = as_object(as_object(terms.get("rule")).get("session")).get("id")
    ends = row.ends_at_ms if row.terminated_at_ms is None else max(row.terminated_at_ms, row.starts_at_ms + 1)
    return CalendarEntry(
        code=row.code,
        type=row.type,
        name=terms.get("name"),
        state=state_of(row, now),
        starts_at=resources.iso(row.starts_at_ms),
        ends_at=resources.iso(min(ends, row.ends_at_ms)),
        priority=row.priority,
        session=names.get(session, session) if isinstance(session, str) else None,
        overlaps=found,
    )


def _overlaps(resources: Resources, book: Book, codes: set[str], now: int) -> dict[str, list[CalendarOverlap]]:
    """By campaign, those beside it, as the publish gate would tell of it if it were a draft."""
    others = [each for each in book.index.all() if each.code in codes]
    found: dict[str, list[CalendarOverlap]] = defaultdict(list)
    for draft in others:
        if draft.broken is not None or draft.draft or draft.terminated or draft.ends_at_ms <= now:
            continue
        for each in overlaps(draft, _goods(resources, book, draft), others, now):
            winner = None
            if each.why != "own_button":
                winner = each.other.code if each.first else draft.code
            found[draft.code].append(
                CalendarOverlap(
                    code=each.other.code,
                    goods=len(each.shared),
                    skus=list(each.shared[:SKUS_SHOWN]),
                    winner=winner,
                    why=each.why,
                )
            )
    return found


def _goods(resources: Resources, book: Book, campaign: Campaign) -> Goods:
    skus = sorted(campaign.items) if campaign.scope == "items" else resources.shelf.skus.of(book.listings)
    return goods_of(campaign, (book.listings[sku].product for sku in skus if sku in book.listings))

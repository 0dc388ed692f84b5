"""Demo sessions (場次): they cover the whole day, with a flash sale in the one that is on and in the next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from admin.campaigns import service as campaign_service
from admin.campaigns.tables import campaigns
from admin.errors import NotFound
from admin.quotes.facts import civil
from admin.resources import Resources
from admin.sessions import service as session_service
from admin.sessions.occurrence import occurrence
from gateway.orders.database import now_ms, reading

PREFIX = "demo-at-"
"""Codes of these sales begin so; the session and the date follow."""
ENDS_SOON_MS = 60_000
"""A session with less time left is treated as over."""
KEPT_MS = 24 * 3_600_000
"""Sales that ended longer ago are deleted, or archived when they have orders."""

SESSIONS: dict[str, dict[str, str]] = {
    "night": {"name": "Night 夜場", "starts": "00:00", "ends": "08:00"},
    "morning": {"name": "Morning 早場", "starts": "08:00", "ends": "12:00"},
    "noon": {"name": "Noon 午場", "starts": "12:00", "ends": "16:00"},
    "afternoon": {"name": "Afternoon 下午場", "starts": "16:00", "ends": "20:00"},
    "evening": {"name": "Evening 晚場", "starts": "20:00", "ends": "00:00"},
}
SALE: dict[str, Any] = {
    "type": "seckill",
    "name": "Of the hour",
    "slogan": "Only in this session",
    "texts": {"zh-Hant": {"name": "本場秒殺", "slogan": "限本場次"}},
    "items": [
        {"sku": "demo-blanket", "stock": 30, "price": 29_900},
        {"sku": "demo-radio", "stock": 20, "price": 6_900},
        {"sku": "demo-notebook", "stock": 100, "price": 900},
    ],
}


def refresh(resources: Resources, *, actor: str) -> None:
    """Make the sessions, and the sales in this one and the next that are missing; forget those of other days.

    Raises:
        AdminError: a service refused.
    """
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        rows = connection.execute(select(campaigns).where(campaigns.c.code.startswith(PREFIX))).all()
    for session, about in SESSIONS.items():
        try:
            session_service.read(resources, session)
        except NotFound:
            session_service.create(resources, {"id": session, **about}, actor=actor)
    known = {row.code for row in rows}
    for session, day in this_and_next(resources, now):
        code = f"{PREFIX}{session}-{day:%Y%m%d}"
        if code not in known:
            rule = {"limit_per_shopper": 1, "session": {"id": session, "date": day.isoformat()}}
            campaign_service.create(resources, {**SALE, "code": code, "rule": rule}, actor=actor, demo=True)
    for row in rows:
        if row.ends_at_ms < now - KEPT_MS and not row.archived and not row.removing:
            campaign_service.delete_campaign(resources, row.code, actor=actor)


def this_and_next(resources: Resources, now: int) -> list[tuple[str, date]]:
    """The session that is on at an instant (epoch ms) and the one after it, with the dates on which they start."""
    following = sorted(_occurrences(resources, now), key=lambda each: each[0])
    return [(session, day) for _, session, day in following[:2]]


def _occurrences(resources: Resources, now: int) -> Iterator[tuple[int, str, date]]:
    today = civil(now, resources.zone)
    for session in SESSIONS:
        # An operator may have given the session other hours.
        hours = session_service.read(resources, session)
        for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
            starts_at_ms, ends_at_ms = occurrence(hours, day, resources.zone)
            if ends_at_ms > now + ENDS_SOON_MS:
                yield starts_at_ms, session, day

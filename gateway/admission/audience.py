"""Who may buy, judged by the token's claims alone: a seckill is sold without the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.tokens import Shopper

Judge = Callable[[Shopper, int], bool]
"""(shopper, now in epoch ms) → may buy."""


def judge_of(audience: dict[str, Any], timezone: ZoneInfo) -> Judge | None:
    """The test that an audience makes, or None when everybody may buy.

    All given conditions must hold, and a missing fact means that its condition does not. Without conditions,
    members are shoppers of level 1 or above, or with a member-since date.
    """
    if audience.get("kind", "everyone") == "everyone":
        return None
    levels = frozenset(audience.get("levels") or ())
    member_days = audience.get("member_days")
    birthday = audience.get("birthday")

    def judge(shopper: Shopper, now_ms: int) -> bool:
        if not levels and member_days is None and birthday is None:
            return shopper.level >= 1 or shopper.since_s is not None
        if levels and shopper.level not in levels:
            return False
        today = datetime.fromtimestamp(now_ms / 1000, timezone).date()
        if member_days is not None:
            if shopper.since_s is None:
                return False
            since = datetime.fromtimestamp(shopper.since_s, UTC).astimezone(timezone).date()
            if (today - since).days < member_days:
                return False
        return birthday is None or _celebrates(shopper.birthday, today, birthday)

    return judge


def _celebrates(born: str | None, today: date, span: str) -> bool:
    """Whether a birthday (MM-DD) falls on this day, or in this month. 29 February is 28 in other years."""
    if born is None:
        return False
    month, day = int(born[:2]), int(born[3:])
    if span == "month":
        return month == today.month
    leap_year = today.year % 4 == 0 and (today.year % 100 != 0 or today.year % 400 == 0)
    if (month, day) == (2, 29) and not leap_year:
        day = 28
    return (month, day) == (today.month, today.day)

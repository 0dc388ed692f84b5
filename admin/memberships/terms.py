"""How long memberships last that were bought one after the other. Pure.

Days are civil days in the shop's zone: a membership ends at the time of day at which it began. Memberships of one
level do not run beside each other: the next one begins when the one before it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from admin.instants import INSTANT_MAX_MS
from admin.sessions.occurrence import instant_ms

DAYS_MAX = 150_000
"""More days than there are between any two instants that can be written."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def days_later(start_ms: int, days: int, zone: ZoneInfo) -> int:
    """The instant, epoch ms, at which clocks show the same time some civil days later.

    A time that the clocks skip on that day is the first instant after the gap; one that they show twice is the
    first of the two. What would lie beyond the last instant that can be written is that one.
    """
    wall = (_EPOCH + timedelta(milliseconds=start_ms)).astimezone(zone).replace(tzinfo=None, fold=0)
    return min(instant_ms(wall + timedelta(days=min(days, DAYS_MAX)), zone), INSTANT_MAX_MS)


def windows(bought: Iterable[tuple[int, int]], zone: ZoneInfo) -> list[tuple[int, int]]:
    """First instant, and first instant after it, of memberships of one level, epoch ms.

    Each is (when it was granted, civil days), in the order in which they were granted.
    """
    found = []
    free_ms = 0
    for granted_at_ms, days in bought:
        start_ms = max(granted_at_ms, free_ms)
        free_ms = days_later(start_ms, days, zone)
        found.append((start_ms, free_ms))
    return found

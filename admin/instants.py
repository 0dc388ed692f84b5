"""Instants at the edge: ISO 8601 text with an offset outside, epoch milliseconds inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

INSTANT_MAX_MS = 9_999_999_999_999
"""The year 2286; keeps every instant at 13 digits."""

_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,6})?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(value: object) -> int:
    """Epoch ms of an ISO 8601 text with offset, or of a whole number of epoch ms.

    Raises:
        ValueError: it is neither, or lies outside the years 1970 to 2286.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        instant_ms = value
    elif isinstance(value, str) and _ISO.fullmatch(value):
        try:
            parsed = datetime.fromisoformat(value)
            instant_ms = (parsed - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError) as error:
            raise ValueError("no such date or time") from error
    else:
        raise ValueError("want ISO 8601 with an offset, such as 2026-11-21T12:00:00+08:00, or epoch ms")
    if not 0 < instant_ms <= INSTANT_MAX_MS:
        raise ValueError("want an instant between 1970 and 2286")
    return instant_ms


def format_instant(instant_ms: int, zone: ZoneInfo) -> str:
    """ISO 8601 with the shop's offset, to the millisecond when it has any."""
    shown = (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone)
    return shown.isoformat(timespec="milliseconds" if instant_ms % 1000 else "seconds")

"""Instants at the edge: epoch milliseconds inside, ISO 8601 with the shop's offset outside."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=4096)
def iso(instant_ms: int, timezone: ZoneInfo) -> str:
    """An instant as text, to the millisecond."""
    return datetime.fromtimestamp(instant_ms / 1000, timezone).isoformat(timespec="milliseconds")

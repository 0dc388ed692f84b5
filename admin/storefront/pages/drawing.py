"""What templates draw by themselves: posters for products without a picture, the digits of countdowns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from admin.pages import locales

ARTS = 4
TINTS = 6


@dataclass(frozen=True, slots=True)
class Poster:
    """Which shapes and which colours of the style sheet."""

    art: int
    tint: int


def poster(sku: str) -> Poster:
    """The poster of a product: always the same, and the same as on the gateway's sale page."""
    mixed = reduce(lambda known, letter: (known * 33 + ord(letter)) % 65521, sku, 5381)
    return Poster(mixed % ARTS, mixed // ARTS % TINTS)


def initial(name: str) -> str:
    """The large letter on a poster."""
    return name.strip()[:1].upper()


def safe_image(address: str | None) -> bool:
    """Whether an image may be asked for: over HTTP, or from this site."""
    if not address:
        return False
    try:
        return urlsplit(address).scheme in {"https", "http", ""}
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """A duration as a clock shows it."""

    days: int
    hours: str
    minutes: str
    seconds: str


def time_left(until: str, now: str) -> TimeLeft:
    """The time between two ISO instants; nothing when it is over."""
    seconds = max(0, int((datetime.fromisoformat(until) - datetime.fromisoformat(now)).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    return TimeLeft(hours // 24, f"{hours % 24:02}", f"{minutes % 60:02}", f"{seconds % 60:02}")


def moment(instant: str, now: str, zone: ZoneInfo) -> str:
    """An instant: the time of day alone when that is today's."""
    days = {datetime.fromisoformat(each).astimezone(zone).date() for each in (instant, now)}
    return locales.when(instant, zone, "time" if len(days) == 1 else "short")

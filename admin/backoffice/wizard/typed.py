"""What people type into a form, and what is written into it. Amounts are texts here, and minor units elsewhere."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import numbers

from admin.pages.locales import gettext
from admin.sessions.occurrence import instant_ms

_NUMBER = re.compile(r"\d{1,13}(\.\d*)?|\.\d+", re.ASCII)


class Unreadable(ValueError):
    """What somebody typed is not of the kind that the field asks for; says what is."""


def whole(text: str) -> int:
    """A whole number, perhaps with separators.

    Raises:
        Unreadable: it is something else.
    """
    plain = _plain(text)
    if re.fullmatch(r"-?\d{1,13}", plain, re.ASCII) is None:
        raise Unreadable(gettext("Write a whole number, such as 100."))
    return int(plain)


def money(text: str, currency: str) -> int:
    """An amount of money, in minor units.

    Raises:
        Unreadable: it is something else, or more precise than the currency.
    """
    digits = numbers.get_currency_precision(currency)
    scaled = _decimal(text, gettext("Write an amount, such as 99.")) * 10**digits
    if scaled != scaled.to_integral_value():
        raise Unreadable(gettext("An amount has at most %(count)s decimals.") % {"count": digits})
    return int(scaled)


def percent(text: str) -> int | float:
    """A percentage, as the API takes it.

    Raises:
        Unreadable: it is something else.
    """
    return _json(_decimal(text.replace("%", ""), gettext("Write a percentage, such as 15.")))


def zhe(text: str) -> int | float:
    """A price in tenths of the base price (折), as the percentage that is taken off.

    Raises:
        Unreadable: it is something else.
    """
    return _json(100 - 10 * _decimal(text.replace("折", ""), gettext("Write a discount such as 8.5.")))


def instant(text: str, zone: ZoneInfo) -> int:
    """The time of a `datetime-local` field in the shop's zone, epoch ms.

    Raises:
        Unreadable: it is no time.
    """
    try:
        wall = datetime.fromisoformat(text.strip())
        if wall.tzinfo is None:
            return instant_ms(wall, zone)
    except (ValueError, OverflowError):
        pass
    raise Unreadable(gettext("Write a date and a time, such as 2026-11-21 12:00."))


def words(text: str) -> list[str]:
    """Texts between commas, or on lines of their own; each once."""
    return list(dict.fromkeys(part.strip() for part in re.split("[,\uff0c\u3001\n]", text) if part.strip()))


def show_money(amount: int, currency: str) -> str:
    """An amount as it is typed, without zeros that say nothing."""
    digits = numbers.get_currency_precision(currency)
    scaled = Decimal(amount).scaleb(-digits)
    return str(scaled.to_integral_value() if scaled == scaled.to_integral_value() else scaled)


def show_zhe(percent_off: float) -> str:
    """A percentage that is taken off, in tenths of the base price."""
    return format(((100 - Decimal(str(percent_off))) / 10).normalize(), "f")


def show_instant(iso: str, zone: ZoneInfo) -> str:
    """An instant for a `datetime-local` field."""
    moment = datetime.fromisoformat(iso).astimezone(zone)
    return moment.strftime("%Y-%m-%dT%H:%M:%S" if moment.second else "%Y-%m-%dT%H:%M")


def _plain(text: str) -> str:
    return re.sub("[\\s,\uff0c]", "", text)


def _decimal(text: str, wanted: str) -> Decimal:
    plain = _plain(text)
    if _NUMBER.fullmatch(plain) is None:
        raise Unreadable(wanted)
    return Decimal(plain)


def _json(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)

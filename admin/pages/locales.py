"""The languages of all pages, and how they write texts, money and times.

Messages are English in the code and the templates; `admin/locale/<locale>/*.po` has them in other languages. The
language in use is that of starlette-admin, so that its own texts and ours are always in the same.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import numbers
from babel.dates import format_date, format_datetime, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from starlette_admin import i18n

CATALOGUES = Path(__file__).parents[1] / "locale"
TAGS: Mapping[str, str] = {"en": "en", "zh_Hant": "zh-Hant"}
"""The language tag (BCP 47) of every locale there is, the default one first."""
NAMES: Mapping[str, str] = {"en": "English", "zh_Hant": "繁體中文"}
"""What each calls itself."""
COOKIE = "language"
"""Holds the locale that was picked by hand; starlette-admin's pages know it by this name."""
HEADER_MAX = 400

gettext = i18n.gettext
ngettext = i18n.ngettext
lazy_gettext = i18n.lazy_gettext
current = i18n.get_locale


def use(cookie: str | None, accept_language: str) -> None:
    """Write this request's reply in the language that was picked, or else in one that the browser asks for."""
    load()
    i18n.set_locale(cookie if cookie is not None and cookie in TAGS else asked_for(accept_language))


def asked_for(accept_language: str) -> str:
    """The best locale for an `Accept-Language` header. Every kind of Chinese gets the one there is."""
    ranked = []
    for position, part in enumerate(accept_language[:HEADER_MAX].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        ranked.append((-weight, position, tag.lower()))
    for weight, _, tag in sorted(ranked):
        if weight < 0 and tag.split("-")[0] in {"en", "zh"}:
            return "zh_Hant" if tag.startswith("zh") else "en"
    return "en"


def tag() -> str:
    """The language tag of the language in use."""
    return TAGS[current()]


@cache
def load() -> None:
    """Add our catalogues to those of starlette-admin, once."""
    for folder in sorted(CATALOGUES.iterdir()):
        for path in sorted(folder.glob("*.po")):
            compiled = io.BytesIO()
            with path.open("rb") as file:
                write_mo(compiled, read_po(file, locale=folder.name))
            compiled.seek(0)
            known = i18n.translations[folder.name]
            assert isinstance(known, Translations)
            known.merge(Translations(compiled))


def money(amount: int, currency: str) -> str:
    """An amount of minor units as people write it."""
    digits = numbers.get_currency_precision(currency)
    # Scaled down by text, not by division: a price is never a float.
    sign, whole = "-" if amount < 0 else "", str(abs(amount)).rjust(digits + 1, "0")
    text = f"{sign}{whole[: len(whole) - digits]}" + (f".{whole[len(whole) - digits :]}" if digits else "")
    return numbers.format_currency(text, currency, locale=current(), currency_digits=True)


def number(value: float) -> str:
    """A number with the separators of the language."""
    return numbers.format_decimal(value, locale=current())


def percent(basis_points: int) -> str:
    """A percentage of basis points."""
    return numbers.format_percent(basis_points / 10_000, locale=current(), format="#,##0.##%")


def when(instant: str, zone: ZoneInfo, form: str = "medium") -> str:
    """An ISO instant in the shop's time zone: `short`, `medium`, `date`, `time`, or `clock` with seconds."""
    moment = datetime.fromisoformat(instant).astimezone(zone)
    match form:
        case "date":
            return format_date(moment.date(), "medium", locale=current())
        case "time":
            return format_time(moment, "short", tzinfo=zone, locale=current())
        case "clock":
            return format_time(moment, "HH:mm:ss", tzinfo=zone, locale=current())
        case _:
            return format_datetime(moment, form, tzinfo=zone, locale=current())

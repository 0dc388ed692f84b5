"""What people type into a rule's field, as the API wants it, and back. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from babel import numbers

from admin.backoffice.wizard import typed
from admin.backoffice.wizard.typed import Unreadable
from admin.instants import format_instant
from admin.pages.locales import current, gettext
from admin.promotions.model import FormField

ZHE = "zhe"
PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Manner:
    """How values are typed here. `discounts` are `zhe` (折) or `percent`."""

    currency: str
    zone: ZoneInfo
    discounts: str

    def unit(self, field: FormField) -> str:
        """The sign that stands beside an input."""
        match field.kind:
            case "money":
                return numbers.get_currency_symbol(self.currency, locale=current())
            case "percent":
                return "折" if self.says_zhe(field) else "%"
            case "multiplier":
                return "×"
        return ""

    def says_zhe(self, field: FormField) -> bool:
        """Whether a field is typed as 折. Only a discount can be; a share of a price is a percentage everywhere."""
        return is_discount(field) and self.discounts == ZHE


def is_discount(field: FormField) -> bool:
    """Whether a percentage says what is taken off."""
    return field.kind == "percent" and field.path.rpartition(".")[2] == "percent_off"


def usual_discounts() -> str:
    """How discounts are typed in the language in use."""
    return ZHE if current().startswith("zh") else PERCENT


def read(field: FormField, text: str, manner: Manner) -> Any:
    """The value of what was typed, None for nothing.

    Raises:
        Unreadable: it is none of this kind.
    """
    plain = _plain(text)
    if not plain:
        return None
    match field.kind:
        case "money":
            return typed.money(_without_signs(plain, manner), manner.currency)
        case "percent":
            return _percent(field, plain, manner)
        case "multiplier":
            return typed.percent(plain.removeprefix("×").removesuffix("倍"))
        case "count":
            return typed.whole(plain)
        case "choice" if plain not in field.choices:
            raise Unreadable(gettext("Choose one of these."))
        case "instant":
            return format_instant(typed.instant(plain.replace("/", "-"), manner.zone), manner.zone)
    return plain


def shown(field: FormField, value: Any, manner: Manner) -> str:
    """A value as it would be typed. What another version stored may be anything, and is shown as it is."""
    if value is None or isinstance(value, list | dict | bool):
        return ""
    match field.kind:
        case "money" if isinstance(value, int):
            return typed.show_money(value, manner.currency)
        case "percent" if manner.says_zhe(field) and isinstance(value, int | float):
            return typed.show_zhe(value)
        case "instant":
            iso = format_instant(value, manner.zone) if isinstance(value, int) else value
            return typed.show_instant(iso, manner.zone)
    return str(value)


def basis_points(percent: Any) -> int | None:
    """A percentage of the API as a whole number; None when it is none that a rule can have."""
    found = re.fullmatch(r"(\d{1,2})(?:\.(\d{1,2}))?", repr(percent), re.ASCII)
    return int(found[1] + (found[2] or "").ljust(2, "0")) if found else None


def zhe_for(text: str) -> str | None:
    """What 85, said for 8.5折, is read as; None when it is not said so."""
    found = re.fullmatch(r"([1-9])([1-9])", _plain(text).removesuffix("折").strip())
    return f"{found[1]}.{found[2]}" if found else None


def _plain(text: str) -> str:
    # Full-width digits and signs are those of a Chinese keyboard.
    return unicodedata.normalize("NFKC", text).strip()


def _without_signs(text: str, manner: Manner) -> str:
    signs = {numbers.get_currency_symbol(manner.currency, locale=each) for each in ("en", "zh_Hant")}
    for sign in sorted({*map(_plain, signs), manner.currency, "$"}, key=len, reverse=True):
        text = text.removeprefix(sign)
    return text.removesuffix("元")


def _percent(field: FormField, text: str, manner: Manner) -> int | float:
    if not is_discount(field) or text.endswith("%") or not (manner.says_zhe(field) or text.endswith("折")):
        return typed.percent(text)
    percent = typed.zhe(zhe_for(text) or text)
    if not 0 < percent < 100:
        raise Unreadable(gettext("Write more than 0 and less than 10, such as 8.5 for 15% off."))
    return percent

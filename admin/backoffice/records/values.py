"""Kinds of fields whose values are written differently from how the API has them: money, percent, times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.numbers import get_currency_precision
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette_admin import RequestAction

from admin.backoffice.records.kinds import Choice, Line, Typed, Unreadable
from admin.pages.locales import current, gettext, money, when


def currency_of(request: Request) -> str:
    """The shop's currency."""
    return str(request.state.resources.currency)


@dataclass
class Money(Line):
    """An amount, typed in major units: 99.00."""

    keyboard: str = "decimal"

    def typed(self, request: Request, value: Any) -> Typed:
        """With all its decimals, without separators."""
        if value is None:
            return ""
        digits = get_currency_precision(currency_of(request))
        return f"{Decimal(value).scaleb(-digits):.{digits}f}"

    def shown(self, request: Request, value: Any) -> str:
        """As people write it."""
        return money(value, currency_of(request))

    def meant(self, request: Request, typed: Any) -> int | None:
        """In minor units."""
        if not typed:
            return None
        digits = get_currency_precision(currency_of(request))
        minor = decimal(typed).scaleb(digits)
        if minor != minor.to_integral_value():
            raise Unreadable(gettext("An amount has at most %(digits)s decimals.") % {"digits": digits})
        return int(minor)

    def unit(self, request: Request) -> str:
        """The currency."""
        return currency_of(request)


@dataclass
class Percent(Line):
    """What is taken off: typed in percent, in Chinese as 折 (8.5 is 15 % off)."""

    keyboard: str = "decimal"
    form_template: str = "records/fields/percent.html"

    def typed(self, request: Request, value: Any) -> Typed:
        """In what the reader's language asks for."""
        if value is None:
            return ""
        percent = Decimal(str(value))
        return _plain(_folds(percent) if self.counts() == "fold" else percent)

    def shown(self, request: Request, value: Any) -> str:
        """Both."""
        return percent_off(value)

    def meant(self, request: Request, typed: Any) -> float | None:
        """In percent."""
        if not typed:
            return None
        percent = _unfolded(decimal(typed)) if self.counts() == "fold" else decimal(typed)
        return int(percent) if percent == percent.to_integral_value() else float(percent)

    def picked(self, form: FormData) -> Typed:
        """What was typed, though the language may be another than that of the form."""
        typed = str(super().picked(form))
        asked = form.get(f"{self.id}-counts")
        if asked == self.counts() or asked not in {"percent", "fold"}:
            return typed
        try:
            return _plain(_unfolded(decimal(typed)) if asked == "fold" else _folds(decimal(typed)))
        except Unreadable:
            return typed

    def counts(self) -> str:
        """`fold` where a discount is told by what is left of a price in tenths, else `percent`."""
        return "fold" if current() == "zh_Hant" else "percent"

    def unit(self, request: Request) -> str:
        """What is typed."""
        return "折" if self.counts() == "fold" else gettext("% off")


def percent_off(percent: float) -> str:
    """A discount as the reader's language tells it; in Chinese in both ways."""
    value = Decimal(str(percent))
    text = gettext("%(percent)s %% off") % {"percent": _plain(value)}
    return f"{_plain(_folds(value))} 折（{text}）" if current() == "zh_Hant" else text


def _folds(percent: Decimal) -> Decimal:
    """What is left of a price, in tenths."""
    return (100 - percent) / 10


def _unfolded(folds: Decimal) -> Decimal:
    """What is taken off, in percent."""
    return 100 - folds * 10


def _plain(value: Decimal) -> str:
    """A number without needless zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimal(text: str) -> Decimal:
    """A number that somebody typed, perhaps with separators of thousands.

    Raises:
        Unreadable: it is none.
    """
    try:
        value = Decimal(text.replace(",", "").strip())
    except InvalidOperation as error:
        raise Unreadable(gettext("Type a number such as 99 or 99.50.")) from error
    if not value.is_finite() or abs(value) > 10**15:
        raise Unreadable(gettext("Type a number such as 99 or 99.50."))
    return value


@dataclass
class Moment(Line):
    """A date and a time of day in the shop's zone."""

    form_template: str = "records/fields/moment.html"

    def typed(self, request: Request, value: Any) -> Typed:
        """As browsers want it."""
        if not value:
            return ""
        there = datetime.fromisoformat(value).astimezone(request.state.resources.zone).replace(tzinfo=None)
        return there.isoformat(timespec="seconds" if there.second else "minutes")

    def shown(self, request: Request, value: Any) -> str:
        """As people write it."""
        return when(value, request.state.resources.zone)

    def meant(self, request: Request, typed: Any) -> str | None:
        """With an offset."""
        if not typed:
            return None
        try:
            there = datetime.fromisoformat(typed)
        except ValueError as error:
            raise Unreadable(gettext("Pick a date and a time.")) from error
        return there.replace(tzinfo=request.state.resources.zone).isoformat()

    def unit(self, request: Request) -> str:
        """The zone."""
        return str(request.state.resources.zone.key)


@dataclass
class Clock(Line):
    """A time of day."""

    form_template: str = "records/fields/clock.html"


@dataclass
class State(Choice):
    """A state that follows from others, shown as a badge."""

    list_template: str = "records/cells/state.html"
    detail_template: str = "records/cells/state.html"
    exclude_from_create: bool | None = True
    exclude_from_edit: bool | None = True

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """Its code and its name."""
        name = self.shown(request, value)
        return name if request.state.action == RequestAction.EXPORT else {"code": value, "name": name}

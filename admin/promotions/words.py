"""A campaign's rule in words, made from its type's form: whatever an operator can fill in, a shopper can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from admin.promotions import money
from admin.promotions.model import LANGUAGES, FormField

_RULE = "rule."
_YES = {"en": "yes", "zh-Hant": "是"}
_BETWEEN = {"en": (": ", ", "), "zh-Hant": ("：", "、")}
"""What stands between a field and its value, and between fields of a row."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PRODUCT = ("sku", "quantity")
_TAKEN_OFF = "percent_off"
"""Percentages that say what is taken off; Chinese says what is left to pay (折). Others are a share of a price."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: their language, and how the shop writes amounts, instants and products (`name_of` a SKU)."""

    language: str
    currency: str
    zone: ZoneInfo
    name_of: Callable[[str], str]


def in_words(form: Iterable[FormField], rule: Any, reader: Reader) -> list[str]:
    """One line for each field of a rule that is filled in, in the order of the form."""
    lines = []
    for each in form:
        if not each.path.startswith(_RULE) or not _asked(each, rule):
            continue
        value = _at(rule, each.path.removeprefix(_RULE))
        rows = value if each.kind == "table" else [value]
        for row in rows or ():
            shown = _shown(each, row, reader)
            if shown:
                lines.append(_joined(each, shown, reader))
    return lines


def _asked(each: FormField, rule: Any) -> bool:
    if each.shown_if is None:
        return True
    path, wanted = each.shown_if
    return bool(_at(rule, path.removeprefix(_RULE)) == wanted)


def _at(terms: Any, path: str) -> Any:
    for part in path.split("."):
        terms = getattr(terms, part, None)
    return terms


def _joined(each: FormField, shown: str, reader: Reader) -> str:
    return f"{_text(each.title, reader)}{_between(reader)[0]}{shown}"


def _between(reader: Reader) -> tuple[str, str]:
    return _BETWEEN.get(reader.language, _BETWEEN[LANGUAGES[0]])


def _text(texts: Mapping[str, str], reader: Reader) -> str:
    return texts.get(reader.language) or texts[LANGUAGES[0]]


def _shown(each: FormField, value: Any, reader: Reader) -> str:
    """A value as text; empty when there is nothing to say."""
    if value is None or value is False or value == []:
        return ""
    match each.kind:
        case "money":
            return money.show(value, reader.currency)
        case "percent":
            return _percent(each, value, reader)
        case "multiplier":
            return money.show_percent(value)
        case "choice":
            return _text(each.choices.get(value, {LANGUAGES[0]: str(value)}), reader)
        case "flag":
            return _text(_YES, reader)
        case "instant":
            return _moment(value, reader)
        case "product":
            return reader.name_of(value)
        case "session":
            return ""  # its hours are the campaign's own, which stand beside the rule
        case "table":
            return _row(each.columns, value, reader)
    return str(value)


def _percent(each: FormField, basis_points: int, reader: Reader) -> str:
    if reader.language == "zh-Hant" and each.path.rpartition(".")[2] == _TAKEN_OFF:
        return f"{money.show_zhe(basis_points)} 折"
    return f"{money.show_percent(basis_points)} %"


def _moment(instant_ms: int, reader: Reader) -> str:
    """An instant to the minute, by the shop's clock."""
    moment = (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(reader.zone)
    clock = f"{moment:%H:%M}"
    if reader.language == "zh-Hant":
        return f"{moment.year}年{moment.month}月{moment.day}日 {clock}"
    return f"{_MONTHS[moment.month - 1]} {moment.day}, {moment.year}, {clock}"


def _row(columns: Iterable[FormField], row: Any, reader: Reader) -> str:
    if isinstance(row, list):
        return _between(reader)[1].join(_row(columns, each, reader) for each in row)
    product = _product(columns, row, reader)
    parts = [product] if product else []
    for column in columns:
        shown = "" if product and column.path in _PRODUCT else _shown(column, _at(row, column.path), reader)
        if shown:
            parts.append(_joined(column, shown, reader))
    return _between(reader)[1].join(parts)


def _product(columns: Iterable[FormField], row: Any, reader: Reader) -> str:
    """The product that a row is about and how many of it: `Mug × 2`; empty when it is about none."""
    sku, quantity = (_at(row, path) for path in _PRODUCT)
    if not sku or not any(column.path == _PRODUCT[0] for column in columns):
        return ""
    return f"{reader.name_of(sku)} × {quantity}" if quantity else reader.name_of(sku)

"""A posted form as the part of a rule that one step asks for. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData

from admin.backoffice.wizard.ruling_fields import Asked, applies
from admin.backoffice.wizard.ruling_values import PERCENT, ZHE, Manner, read
from admin.backoffice.wizard.typed import Unreadable

MANNER = "discounts_as"
"""Says how discounts were typed, so that another language never makes another discount of them."""
BUTTON = "row"
"""Name of the buttons that add and remove rows."""


@dataclass(slots=True)
class Taken:
    """What a form says. `names` are inputs by the path of what they say; `problems` are by path too."""

    rule: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table in a form. `kept` is what another step asks of it, which the form carries along."""

    name: str
    kept: Mapping[str, Any]


def discounts_of(form: FormData, usual: str) -> str:
    """How discounts were typed into a form."""
    given = text_of(form, MANNER)
    return given if given in {PERCENT, ZHE} else usual


def text_of(form: FormData, name: str) -> str:
    """What was typed into an input, to the letter."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def rows_of(form: FormData, table: str) -> list[Row]:
    """The rows of a table in their order."""
    pattern = re.compile(re.escape(table) + r"\.\d{1,6}\.row")
    names = dict.fromkeys(name for name, _ in form.multi_items() if pattern.fullmatch(name))
    return [Row(name.removesuffix(".row"), _carried(text_of(form, name))) for name in names]


def carry(kept: Mapping[str, Any]) -> str:
    """What another step asks of a row, as its hidden input has it."""
    return json.dumps(dict(kept), ensure_ascii=False, sort_keys=True) if any(kept.values()) else ""


def _carried(text: str) -> Mapping[str, Any]:
    try:
        kept = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def take(
    asked: Sequence[Asked],
    form: FormData,
    stored: Mapping[str, Any],
    manner: Manner,
    locked: Iterable[str] = (),
) -> Taken:
    """What a form says at a step. `stored` is the rule as it is; what is `locked` was not asked."""
    taken = Taken()
    facts = dict(stored)
    for each in asked:
        if each.field.kind == "choice" and each.key not in locked:
            facts[each.key] = _chosen(each, form)
    asked_now = [each for each in asked if each.key not in locked and applies(each.field, facts.get(fact_of(each)))]
    for each in asked_now:
        value = _value(each, form, each.name, each.field.path, manner, taken)
        taken.rule[each.key] = each.empty if value is None else value
    for each in asked:
        # What is no longer asked must not stay behind in the rule. Products of another step are not touched.
        if each.key not in locked and each.key not in taken.rule and each.grows:
            taken.rule[each.key] = each.empty
    return taken


def fact_of(asked: Asked) -> str:
    """Which part of the rule decides whether a field is asked."""
    return "" if asked.field.shown_if is None else asked.field.shown_if[0].removeprefix("rule.")


def _chosen(asked: Asked, form: FormData) -> Any:
    text = text_of(form, asked.name)
    return text if text in asked.field.choices else asked.empty


def _value(asked: Asked, form: FormData, name: str, path: str, manner: Manner, taken: Taken) -> Any:
    taken.names[path] = name
    if asked.field.kind == "table":
        return _rows(asked, form, name, path, manner, taken)
    text = text_of(form, name)
    if asked.field.kind == "flag":
        return bool(text)
    try:
        return read(asked.field, text, manner)
    except Unreadable as error:
        taken.problems.setdefault(path, []).append(str(error))
        return None


def _rows(asked: Asked, form: FormData, name: str, path: str, manner: Manner, taken: Taken) -> list[dict[str, Any]]:
    """The rows that say something, in their order, with what another step asks of them."""
    own = {column.key for column in asked.columns}
    found: list[dict[str, Any]] = []
    for row in rows_of(form, name):
        place = f"{path}.{len(found)}"
        problems = len(taken.problems)
        values = {
            column.key: _value(column, form, f"{row.name}.{column.key}", f"{place}.{column.key}", manner, taken)
            for column in asked.columns
        }
        kept = {key: value for key, value in row.kept.items() if key not in own}
        says = any(value not in (None, False, []) for value in values.values())
        if says or len(taken.problems) > problems or any(kept.values()):
            found.append(kept | {key: value for key, value in values.items() if value is not None})
            taken.names[place] = row.name
    return found


def edited(asked: Iterable[Asked], form: FormData) -> FormData | None:
    """The form after a row was added or removed, if one of those buttons was pressed."""
    action, _, name = text_of(form, BUTTON).partition(" ")
    items = [(key, value) for key, value in form.multi_items() if key != BUTTON]
    if action == "add" and name:
        numbers = [int(row.name.rpartition(".")[2]) for row in rows_of(form, name)]
        return FormData([*items, (f"{name}.{max(numbers, default=-1) + 1}.row", "")])
    if action == "remove" and name:
        return FormData([(key, value) for key, value in items if not key.startswith(f"{name}.")])
    return None

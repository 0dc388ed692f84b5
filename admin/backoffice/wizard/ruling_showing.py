"""A step of a rule's form as its template shows it: filled from the rule, or with what was typed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData

from admin.backoffice.wizard.ruling_fields import Asked, applies
from admin.backoffice.wizard.ruling_reading import carry, fact_of, rows_of, text_of
from admin.backoffice.wizard.ruling_values import Manner, shown
from admin.pages.locales import gettext, tag
from admin.promotions.model import LANGUAGES

_BLANK = "__"
"""Stands for the number of a row that a script adds."""


@dataclass(slots=True)
class Field:
    """One field as it is shown. `text` is to the letter what was typed, or what the rule has."""

    name: str
    kind: str
    title: str
    help: str
    required: bool
    unit: str
    text: str = ""
    ticked: bool = False
    choices: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    locked: str | None = None
    only_if: OnlyIf | None = None
    now: bool = True
    is_gift: bool = False
    first_wrong: bool = False
    table: Table | None = None

    @property
    def id(self) -> str:
        """Of its input; those of its texts begin with it."""
        return self.name.replace(".", "-").replace("~", "-")

    @property
    def calendar(self) -> bool:
        """Whether a browser's own field for dates and times can hold it: those drop what they cannot read."""
        if self.kind != "instant":
            return False
        try:
            return not self.text or datetime.fromisoformat(self.text).tzinfo is None
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class OnlyIf:
    """By which input a field is asked (absent when another step asks for it), and that as words."""

    name: str
    value: str
    words: str


@dataclass(slots=True)
class Table:
    """The rows of a field that is a table. `blank` is one more row for a script to add."""

    columns: list[Field]
    rows: list[Row]
    blank: Row | None
    rows_max: int


@dataclass(slots=True)
class Row:
    """One row. `carried` is what another step asks of it."""

    name: str
    carried: str
    heading: str
    fields: list[Field]
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Given:
    """What a form is filled with: a rule, and over it what was typed. Texts beside fields are by input."""

    rule: Mapping[str, Any]
    typed: FormData | None
    manner: Manner
    errors: Mapping[str, Sequence[str]]
    notes: Mapping[str, Sequence[str]]
    why_locked: Callable[[str], str | None]


def said(texts: Mapping[str, str]) -> str:
    """A text in the reader's language."""
    return texts.get(tag()) or texts.get(LANGUAGES[0], "")


def fields(asked: Sequence[Asked], given: Given) -> list[Field]:
    """Every field of a step. The first wrong one is marked, so that people begin there."""
    by_key = {each.key: each for each in asked if each.field.kind == "choice"}
    facts: dict[str, Any] = dict(given.rule)
    if given.typed is not None:
        facts |= {key: text_of(given.typed, each.name) for key, each in by_key.items()}
    found = []
    for each in asked:
        locked = given.why_locked(each.field.path)
        # What was not asked cannot have been typed.
        source = given if locked is None else replace(given, typed=None)
        now = applies(each.field, facts.get(fact_of(each)))
        stored = given.rule.get(each.key) if applies(each.field, given.rule.get(fact_of(each))) else None
        shown_field = _field(each, each.name, stored, source, locked)
        shown_field.only_if, shown_field.now = _only_if(each, by_key), now
        # Nothing of another step's choice can change here.
        if now or (shown_field.only_if is not None and shown_field.only_if.name):
            found.append(shown_field)
    _mark_first(found)
    return found


def _only_if(asked: Asked, by_key: Mapping[str, Asked]) -> OnlyIf | None:
    if asked.field.shown_if is None:
        return None
    deciding = by_key.get(fact_of(asked))
    value = str(asked.field.shown_if[1])
    if deciding is None:
        return OnlyIf("", value, "")
    choice = said(deciding.field.choices.get(value, {LANGUAGES[0]: value}))
    told = gettext("Only with “%(field)s: %(choice)s”.")
    words = told % {"field": said(deciding.field.title), "choice": choice}
    return OnlyIf(deciding.name, value, words)


def _field(asked: Asked, name: str, stored: Any, given: Given, locked: str | None) -> Field:
    found = _frame(asked, name, given, locked)
    form = given.typed
    if asked.field.kind == "table":
        found.table = _table(asked, name, stored if isinstance(stored, list) else [], given, locked)
    elif asked.field.kind == "flag":
        found.ticked = bool(text_of(form, name)) if form is not None else stored is True
    else:
        found.text = text_of(form, name) if form is not None else shown(asked.field, stored, given.manner)
    return found


def _frame(asked: Asked, name: str, given: Given, locked: str | None) -> Field:
    declared = asked.field
    return Field(
        name=name,
        kind=declared.kind,
        title=said(declared.title),
        help=said(declared.help),
        required=declared.required,
        unit=given.manner.unit(declared),
        choices=[(value, said(texts)) for value, texts in declared.choices.items()],
        errors=list(given.errors.get(name, ())),
        notes=list(given.notes.get(name, ())),
        locked=locked,
        is_gift=asked.is_gift,
    )


def _table(asked: Asked, name: str, stored: list[Any], given: Given, locked: str | None) -> Table:
    """Its rows; where rows come and go, there is always one to type into."""
    form = given.typed
    if form is not None:
        places = [(row.name, row.kept) for row in rows_of(form, name)]
    else:
        places = [(f"{name}.{number}", row) for number, row in enumerate(stored) if isinstance(row, dict)]
    rows = [_row(asked, place, row, given, locked) for place, row in places]
    blank = None
    if asked.grows and locked is None:
        nothing = replace(given, rule={}, typed=None, errors={}, notes={})
        blank = _row(asked, f"{name}.{_BLANK}", {}, nothing, None)
        if not rows:
            rows = [_row(asked, f"{name}.0", {}, replace(given, typed=None), None)]
    columns = [_frame(column, f"{name}.{column.key}", given, locked) for column in asked.columns]
    return Table(columns, rows, blank, asked.rows_max)


def _row(asked: Asked, name: str, row: Mapping[str, Any], given: Given, locked: str | None) -> Row:
    own = {column.key for column in asked.columns}
    heading = " · ".join(_told(column, row.get(column.key), given.manner) for column in asked.told)
    cells = [_field(column, f"{name}.{column.key}", row.get(column.key), given, locked) for column in asked.columns]
    kept = {key: value for key, value in row.items() if key not in own}
    return Row(name, carry(kept), heading, cells, list(given.errors.get(name, ())))


def _told(asked: Asked, value: Any, manner: Manner) -> str:
    amount = f"{manner.unit(asked.field)}{shown(asked.field, value, manner)}"
    return f"{said(asked.field.title)} {amount}"


def _mark_first(found: Sequence[Field]) -> bool:
    """Mark the first field with an error, also inside of tables."""
    for each in found:
        if not each.now:
            continue
        rows = each.table.rows if each.table is not None else []
        if any(_mark_first(row.fields) for row in rows):
            return True
        if each.errors and each.locked is None and not rows:
            each.first_wrong = True
            return True
    return False

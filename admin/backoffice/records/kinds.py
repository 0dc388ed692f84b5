"""Kinds of fields: how a value of the API is typed in a form, and shown elsewhere.

A field's name is the path of its value in the record (`membership.level`), which is also what the API calls it when
something is wrong with it. What is typed stays as it was typed until the API is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette_admin import RequestAction
from starlette_admin.fields import BaseField

from admin.pages.locales import gettext, number

Typed = str | bool | list[str]
"""What is in a field of a form: a text, a tick, or what was picked of many."""


class Unreadable(Exception):
    """What was typed cannot be what it should be. Its text is for people."""


def reach(record: Any, path: str) -> Any:
    """The value at a dotted path of a record; None where the way ends before."""
    for name in path.split("."):
        record = record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)
    return record


@dataclass
class Line(BaseField):
    """A short text, and what all other kinds are made of.

    `asks` is the list's parameter that filters by it. `when` names another field and the value that it must have
    for this one to make sense (`kind=percent`); scripts hide it meanwhile.
    """

    form_template: str = "records/fields/line.html"
    list_template: str = "records/cells/text.html"
    detail_template: str = "records/cells/text.html"
    null_template: str = "records/cells/nothing.html"
    empty_template: str = "records/cells/nothing.html"
    class_: str = "form-control"
    asks: str | None = None
    when: str | None = None
    keyboard: str = "text"

    def typed(self, request: Request, value: Any) -> Typed:
        """A value of the API as it is typed."""
        return "" if value is None else str(value)

    def shown(self, request: Request, value: Any) -> Any:
        """A value of the API as it is shown; texts and lists of texts."""
        return value

    def meant(self, request: Request, typed: Any) -> Any:
        """What was typed, as the API wants it. None for nothing.

        Raises:
            Unreadable: it cannot be that.
        """
        return typed or None

    def picked(self, form: FormData) -> Typed:
        """What a form says of this field."""
        return str(form.get(self.id) or "").replace("\r\n", "\n").strip()

    def unit(self, request: Request) -> str | None:
        """What stands behind the field."""
        return None

    def choices(self, request: Request) -> list[tuple[str, str]]:
        """Values that can be picked, and their names; none where any text will do."""
        return []

    def note(self, request: Request) -> str | None:
        """What is to be known of the value now, under the field."""
        return None

    async def prepare(self, request: Request) -> None:
        """Fetch what the field needs to be shown."""

    async def get_create_default(self, request: Request) -> Any:
        """What a new record begins with, as the API has it."""
        await self.prepare(request)
        return await super().get_create_default(request)

    async def parse_form_data(self, request: Request, form_data: FormData) -> Typed:
        """What was typed, as it was typed."""
        await self.prepare(request)
        return self.picked(form_data)

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """The value in a record."""
        await self.prepare(request)
        return reach(obj, self.name) if self.getter is None else await super().parse_obj(request, obj)

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """The value for the page that is being made."""
        if request.state.action in {RequestAction.LIST, RequestAction.DETAIL}:
            return self.shown(request, value)
        typed = self.typed(request, value)
        if request.state.action != RequestAction.EXPORT:
            return typed
        if isinstance(typed, bool):
            return str(typed).lower()
        return ", ".join(typed) if isinstance(typed, list) else typed

    async def serialize_none_value(self, request: Request) -> Any:
        """Nothing, for the page that is being made."""
        return (
            None
            if request.state.action in {RequestAction.LIST, RequestAction.DETAIL}
            else self.typed(request, None)
        )


@dataclass
class Paragraphs(Line):
    """A longer text."""

    form_template: str = "records/fields/paragraphs.html"
    detail_template: str = "records/cells/paragraphs.html"


@dataclass
class Whole(Line):
    """A whole number."""

    keyboard: str = "numeric"

    def shown(self, request: Request, value: Any) -> Any:
        """With the separators of the language."""
        return number(value)

    def meant(self, request: Request, typed: Any) -> int | None:
        """The number."""
        return None if not typed else whole(typed)


def whole(text: str) -> int:
    """A whole number that somebody typed, perhaps with separators of thousands.

    Raises:
        Unreadable: it is none.
    """
    plain = text.replace(",", "").strip()
    if not plain.removeprefix("-").isdecimal() or len(plain) > 18:
        raise Unreadable(gettext("Type a whole number."))
    return int(plain)


@dataclass
class Flag(Line):
    """Yes or no."""

    form_template: str = "records/fields/flag.html"
    label_template: str = "records/fields/no_label.html"
    list_template: str = "records/cells/flag.html"
    detail_template: str = "records/cells/flag.html"

    def typed(self, request: Request, value: Any) -> Typed:
        """A tick or none."""
        return bool(value)

    def meant(self, request: Request, typed: Any) -> bool:
        """Yes or no."""
        return bool(typed)

    def choices(self, request: Request) -> list[tuple[str, str]]:
        """Both."""
        return [("true", gettext("yes")), ("false", gettext("no"))]

    def picked(self, form: FormData) -> Typed:
        """Whether it is ticked."""
        return form.get(self.id) is not None


@dataclass
class Choice(Line):
    """One of some values. `options` are values and what they are called."""

    form_template: str = "records/fields/choice.html"
    class_: str = "form-select"
    options: Mapping[str, Any] = field(default_factory=dict)
    several: bool = False

    def choices(self, request: Request) -> list[tuple[str, str]]:
        """Values and their names, in the order of the list."""
        return [(value, str(label)) for value, label in self.options.items()]

    def typed(self, request: Request, value: Any) -> Typed:
        """The value, or all of them."""
        return [str(each) for each in value or ()] if self.several else super().typed(request, value)

    def shown(self, request: Request, value: Any) -> Any:
        """The names."""
        names = dict(self.choices(request))
        if self.several:
            return [names.get(str(each), str(each)) for each in value]
        return names.get(str(value), str(value))

    def meant(self, request: Request, typed: Any) -> Any:
        """The value, or all of them."""
        return typed if self.several else typed or None

    def picked(self, form: FormData) -> Typed:
        """What is picked."""
        return [str(each) for each in form.getlist(self.id)] if self.several else super().picked(form)


@dataclass
class Texts(Line):
    """Several short texts, separated by commas or lines."""

    form_template: str = "records/fields/paragraphs.html"
    list_template: str = "records/cells/texts.html"
    detail_template: str = "records/cells/texts.html"
    numbers: bool = False

    def typed(self, request: Request, value: Any) -> Typed:
        """All in one line."""
        return ", ".join(str(each) for each in value or ())

    def meant(self, request: Request, typed: Any) -> list[Any]:
        """Each by itself."""
        parts = [each.strip() for each in typed.replace("\n", ",").replace("，", ",").replace("、", ",").split(",")]
        return [whole(each) if self.numbers else each for each in parts if each]


@dataclass
class Image(Line):
    """The address of a picture, which is shown, too."""

    keyboard: str = "url"
    form_template: str = "records/fields/image.html"
    list_template: str = "records/cells/image.html"
    detail_template: str = "records/cells/image.html"


@dataclass
class Told(Line):
    """What is only shown: `getter` makes it."""

    exclude_from_create: bool | None = True
    exclude_from_edit: bool | None = True
    orderable: bool | None = False
    searchable: bool | None = False

"""From a form to the API, and what went wrong back into the form.

A form carries the revision and the texts it was shown with. So only what its operator has really changed is asked
for, and when somebody else has changed the record in between, nothing typed is lost and nothing of theirs undone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette_admin.exceptions import FormValidationError

from admin.backoffice.records.kinds import Line, Typed, Unreadable, reach
from admin.errors import AdminError, Conflict, Invalid
from admin.pages.locales import gettext
from admin.pages.locales import lazy_gettext as _
from admin.pages.wording import field_told, told

WHOLE_FORM = ""
"""Where an error stands that belongs to no field of the form."""
_IN_FORMS = {
    "missing": _("This field is required."),
    "bad_form": _("It cannot be written like this."),
    "too_short": _("It is too short, or missing."),
}
"""What the API says for programs, said for people."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a form was shown with: the record's revision, and what stood in its fields."""

    revision: int | None = None
    texts: Mapping[str, Typed] = field(default_factory=dict)

    @property
    def packed(self) -> str:
        """As a hidden field carries it."""
        return json.dumps({"revision": self.revision, "texts": self.texts}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two people have changed: what each of them wants."""

    label: str
    mine: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Clash:
    """Somebody else has changed a record while it was being edited here."""

    who: str | None
    at: str | None
    differences: Sequence[Difference]


def basis_of(request: Request, fields: Iterable[Line], record: Any) -> Basis:
    """What a form of a record is shown with."""
    texts = {each.name: each.typed(request, reach(record, each.name)) for each in fields}
    return Basis(record.revision, texts)


def basis_in(form: FormData) -> Basis:
    """What a form says that it was shown with; nothing when that cannot be read."""
    try:
        packed = json.loads(str(form.get("_basis") or "{}"))
        revision, texts = packed.get("revision"), packed.get("texts")
    except (ValueError, AttributeError):
        return Basis()
    return Basis(revision if type(revision) is int else None, texts if isinstance(texts, dict) else {})


def body_of(
    request: Request, fields: Sequence[Line], typed: Mapping[str, Any], touched: set[str], record: Any
) -> dict[str, Any]:
    """What was typed into some fields, as the API wants it. `record` is what there is, None for a new one.

    Raises:
        FormValidationError: by field, what cannot be read or is missing.
    """
    errors: dict[str | int, str] = {}
    body: dict[str, Any] = {}
    groups = {each.name.partition(".")[0] for each in fields if "." in each.name and each.name in touched}
    for name in sorted(groups):
        before = reach(record, name)
        body[name] = _as_json(before) or {}
    for each in fields:
        if each.name not in touched:
            continue
        if each.required and typed[each.name] in ("", []):
            errors[each.name] = gettext("This field is required.")
            continue
        try:
            meant = each.meant(request, typed[each.name])
        except Unreadable as error:
            errors[each.name] = str(error)
            continue
        if "." in each.name:
            _put(body, each.name.split("."), meant)
        elif record is not None or meant not in (None, []):
            body[each.name] = meant
    if errors:
        raise FormValidationError(errors)
    return body


def _as_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {name: _as_json(each) for name, each in value.items()}
    return value


def _put(body: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a value at a path, or take it away when it is nothing."""
    *way, last = path
    for name in way:
        body = body.setdefault(name, {})
    if value in (None, "", [], False):
        body.pop(last, None)
    else:
        body[last] = value


def pruned(value: Any) -> Any:
    """An object without objects in it that are empty."""
    if not isinstance(value, dict):
        return value
    return {name: each for name, part in value.items() if (each := pruned(part)) != {}}


def by_field(error: AdminError, names: Iterable[str], labels: Mapping[str, str]) -> FormValidationError:
    """An error of the API beside the fields of a form. What belongs to none of them stands above."""
    known = set(names)
    found: dict[str | int, list[str]] = {}
    if isinstance(error, Invalid):
        for each in error.errors:
            place = _place(each.field, known)
            text = str(_IN_FORMS[each.code]) if each.code in _IN_FORMS else field_told(each)
            if each.field and place == WHOLE_FORM:
                text = f"{labels.get(each.field, each.field)}: {text}"
            found.setdefault(place, []).append(text)
    else:
        field_named = error.members.get("field") if isinstance(error, Conflict) else None
        found[_place(str(field_named or ""), known)] = [told(error)]
    return FormValidationError({place: " ".join(dict.fromkeys(texts)) for place, texts in found.items()})


def _place(path: str, known: set[str]) -> str:
    """The field of the form that a path of the API is about: itself, or what it is in, or its first part."""
    while path:
        if path in known:
            return path
        inside = sorted(name for name in known if name.startswith(f"{path}."))
        if inside:
            return inside[0]
        path = path.rpartition(".")[0]
    return WHOLE_FORM

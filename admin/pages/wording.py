"""What went wrong, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from admin import problems
from admin.errors import AdminError, FieldError, Invalid
from admin.pages.locales import current, gettext

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def told(error: Exception) -> str:
    """A sentence about an error. What is nobody's fault but ours is not explained."""
    if isinstance(error, Invalid) and len(error.errors) == 1:
        return field_told(error.errors[0])
    if isinstance(error, AdminError):
        return _by_code(error.code, error.detail, error.members)
    problems.describe(error)
    return gettext("Something went wrong here. It has been logged; please try again.")


def field_told(error: FieldError) -> str:
    """A sentence about one broken rule."""
    return _by_code(error.code, error.message)


def by_field(errors: Iterable[FieldError]) -> dict[str, list[str]]:
    """Sentences by the path of the field they are about."""
    found: dict[str, list[str]] = {}
    for each in errors:
        found.setdefault(each.field, []).append(field_told(each))
    return found


def _by_code(code: str, message: str, members: Mapping[str, Any] = _NOTHING) -> str:
    """The catalogue has a text for each code where the language is not that of the message.

    It may name what the error carries along; where an error carries less, its own message is better than a gap.
    """
    if current() == "en":
        return message
    key = f"error.{code}"
    text = gettext(key)
    try:
        return message if text == key else text % members
    except KeyError:
        return message

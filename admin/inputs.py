"""What operators may send: strict types with limits, and one way to report what is wrong with them.

Nothing is coerced: an integer is a JSON integer (not true, 1.0 or "1"), an unknown field is refused, a text
has no control characters. All problems of one input are reported together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from admin.errors import FieldError, Invalid
from admin.instants import INSTANT_MAX_MS, parse_instant

MONEY_MAX = 10**12
"""Largest price or cost, minor units: what Lua and JSON both keep exact with room to multiply."""
STOCK_MAX = 10**9
"""Largest stock of a product or an offer, units."""
REPORTED_MAX = 200
"""Problems told in one reply; a body can hold thousands."""

UNSET: Any = None
"""Default of a field that may be left out but not be null."""

_SECTIONS_OF_TEXT = {"\n", "\t", "\r"}

ModelT = TypeVar("ModelT", bound=BaseModel)


class Input(BaseModel):
    """Base of every body: strict, and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Nothing(Input):
    """An empty object; the body may be left out."""


class Query(BaseModel):
    """Base of every set of query parameters; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refuse(code: str, message: str) -> PydanticCustomError:
    """An error for a validator to raise, with a code of ours."""
    return PydanticCustomError(code, "{text}", {"text": message})


def _clean(text: str, allowed: Iterable[str]) -> str:
    for character in text:
        # Cc: control characters, NUL among them. Cs: half a surrogate pair, which no encoding can carry.
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in allowed:
            raise refuse("control_character", "control characters are not allowed")
    return text


def _line(text: str) -> str:
    if not _clean(text, ()).strip():
        raise refuse("blank", "want some text")
    return text


def _paragraphs(text: str) -> str:
    return _clean(text, _SECTIONS_OF_TEXT)


def _instant(value: object) -> int:
    try:
        return parse_instant(value)
    except ValueError as error:
        raise refuse("bad_instant", str(error)) from error


def _image(text: str) -> str:
    _clean(text, ())
    problem = refuse("bad_url", "want an http(s) URL, or one relative to the shop's pages")
    if re.search(r"[\s\"'<>\\^`{|}]", text):
        raise problem
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise problem from error
    absolute = parts.scheme in {"http", "https"} and bool(parts.hostname)
    relative = not parts.scheme and not parts.netloc and not text.startswith("//")
    if not absolute and not relative:
        raise problem
    return text


def _whole(value: object) -> int:
    if not isinstance(value, str) or re.fullmatch(r"\d{1,15}", value, re.ASCII) is None:
        raise refuse("not_an_integer", "want a whole number")
    return int(value)


def _flag(value: object) -> bool:
    if value not in {"true", "false"}:
        raise refuse("not_a_boolean", "want true or false")
    return value == "true"


ONE_LINE = AfterValidator(_line)
"""A text of one line, not blank; its length belongs beside it."""
PARAGRAPHS = AfterValidator(_paragraphs)
"""A text that may break lines."""

Money = Annotated[int, Field(ge=0, le=MONEY_MAX, description="minor units")]
Stock = Annotated[int, Field(ge=0, le=STOCK_MAX, description="units")]
Sku = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", max_length=64)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", max_length=40)]
OperationId = Annotated[str, Field(pattern=r"^[!-~]{1,64}$", max_length=64)]
Image = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_image)]
Instant = Annotated[
    int,
    BeforeValidator(_instant),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": 1, "maximum": INSTANT_MAX_MS, "description": "epoch ms"},
            ]
        }
    ),
]
QueryInstant = Annotated[
    int,
    BeforeValidator(lambda value: _instant(int(value) if str(value).isdecimal() else value)),
    WithJsonSchema({"type": "string", "description": "ISO 8601 with offset, or epoch ms"}),
]
QueryInt = Annotated[int, BeforeValidator(_whole)]
QueryFlag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
QueryText = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_line)]

_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "int_type": "not_an_integer",
    "int_from_float": "not_an_integer",
    "bool_type": "not_a_boolean",
    "string_type": "not_a_text",
    "list_type": "not_a_list",
    "dict_type": "not_an_object",
    "model_type": "not_an_object",
    "model_attributes_type": "not_an_object",
    "literal_error": "not_one_of",
    "greater_than_equal": "too_small",
    "greater_than": "too_small",
    "less_than_equal": "too_large",
    "less_than": "too_large",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_few",
    "too_long": "too_many",
    "string_pattern_mismatch": "bad_form",
}

Path = tuple[int | str, ...]
_KEY = "[key]"
"""What pydantic adds to the path of a mapping's key that breaks a rule."""


def check(model: type[ModelT], given: object) -> ModelT:
    """The input as a model.

    Raises:
        Invalid: with every problem found.
    """
    value, problems = examine(model, given)
    if value is None or problems:
        raise Invalid([error for _, error in problems])
    return value


def examine(model: type[ModelT], given: object) -> tuple[ModelT | None, list[tuple[Path, FieldError]]]:
    """The input as a model, and what is wrong with it.

    With problems, the model holds what is left when the broken parts are taken out, so that the rules
    between fields can be judged too; None when nothing sensible is left.
    """
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        problems = list(_problems(error))
    try:
        return model.model_validate(_without([path for path, _ in problems], given)), problems
    except ValidationError:
        return None, problems


def _problems(error: ValidationError) -> Iterable[tuple[Path, FieldError]]:
    for each in error.errors(include_url=False, include_context=False)[:REPORTED_MAX]:
        path: Path = each["loc"]
        code = _CODES.get(each["type"], each["type"])
        yield path, FieldError(dotted(path), code, each["msg"])


def dotted(path: Sequence[int | str]) -> str:
    """A field's path as told to the caller. Names they made up are cut short and made printable."""
    parts = [str(part) if isinstance(part, int) else ascii(part[:80])[1:-1] for part in path if part != _KEY]
    return ".".join(parts)


def _without(paths: Iterable[Path], given: object) -> object:
    """A copy of JSON without the fields at some paths; list elements become empty, so positions stay."""
    for path in paths:
        if not path:
            return None
        given = _cut(given, path)
    return given


def _cut(value: object, path: Path) -> object:
    head, *rest = path
    if isinstance(value, dict) and head in value:
        if rest:
            return {**value, head: _cut(value[head], tuple(rest))}
        return {name: part for name, part in value.items() if name != head}
    if isinstance(value, list) and isinstance(head, int) and head < len(value):
        part = _cut(value[head], tuple(rest)) if rest else {}
        return [*value[:head], part, *value[head + 1 :]]
    return value

"""Reading a request: body, query parameters and If-Match, each refused clearly when it is not what it should be."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import IO, Any

import orjson
from starlette.requests import Request

from admin.errors import FieldError, Invalid, Malformed, TooLarge

DRAINED_MAX_BYTES = 64 * 1024 * 1024
"""How much above its limit a body is read and thrown away, so that its sender hears the answer."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body.

    Raises:
        TooLarge: it is longer than `max_bytes`; most of it has been read, so that the connection stays usable.
    """
    whole = BytesIO()
    await copy_body(request, max_bytes, whole)
    return whole.getvalue()


async def copy_body(request: Request, max_bytes: int, target: IO[bytes]) -> None:
    """Copy the body into a file, and go back to its beginning.

    Raises:
        TooLarge: it is longer than `max_bytes`; most of it has been read, so that the connection stays usable.
    """
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= max_bytes:
            target.write(part)
        elif size > max_bytes + DRAINED_MAX_BYTES:
            break
    if size > max_bytes:
        raise TooLarge(f"the body may have at most {max_bytes} bytes", max_bytes=max_bytes)
    target.seek(0)


def read_json(body: bytes, *, may_be_empty: bool) -> Any:
    """The JSON value of a body, whatever it is declared as; an absent one is an empty object where allowed.

    Raises:
        Malformed: it is not JSON, or an object names a field twice.
    """
    if not body and may_be_empty:
        return {}
    try:
        value = orjson.loads(body)
        # orjson is strict about everything but repeated names, where it would silently take the last.
        json.loads(body, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise Malformed("the JSON is nested too deeply") from error
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {error}") from error
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("an object names a field twice")
    return fields


def read_query(request: Request) -> dict[str, str]:
    """The query parameters.

    Raises:
        Invalid: one is given twice.
    """
    pairs = request.query_params.multi_items()
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise Invalid([FieldError(ascii(name)[1:-1], "repeated", "given more than once") for name in repeated])
    return dict(pairs)


def read_if_match(request: Request) -> int | None:
    """The revision of an If-Match header; None when there is none, or `*`.

    Raises:
        Malformed: it does not hold one revision.
    """
    text = request.headers.get("if-match")
    if text is None or text.strip() == "*":
        return None
    match = re.fullmatch(r'\s*(?:W/)?("?)(\d{1,15})\1\s*', text, re.ASCII)
    if match is None:
        raise Malformed('If-Match must hold one revision, such as "3"', code="bad_if_match")
    return int(match[2])

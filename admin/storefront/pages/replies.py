"""What the API's operations answer, whether a model or a ready response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response

KEY_FIELD = "key"
"""Of a form that makes an order: sent twice, it makes one."""


def answered(reply: BaseModel | Response) -> dict[str, Any]:
    """The reply as JSON."""
    found: dict[str, Any] = (
        orjson.loads(reply.body) if isinstance(reply, Response) else reply.model_dump(mode="json")
    )
    return found


def key_of(given: str) -> Mapping[str, str]:
    """The headers with the key that a form carries; without one, none."""
    return {"Idempotency-Key": given} if given else {}


def units(typed: str) -> int | str:
    """A quantity as the API wants it; what is no number stays as it is, and is refused."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 6 else typed

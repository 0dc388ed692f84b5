"""Errors as replies: RFC 9457 `application/problem+json`, from one handler."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import orjson
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from admin.errors import (
    AdminError,
    BadSignature,
    Conflict,
    Deferred,
    Forbidden,
    Invalid,
    Lost,
    Malformed,
    NotFound,
    NotReady,
    PaymentRefused,
    StaleRevision,
    TooLarge,
    Unauthenticated,
    Unavailable,
    WrongMethod,
)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
"""What a 503 tells the caller to wait; the publisher tries more often than that."""
READY_AFTER_S = 1
"""What somebody waiting for the order writer is told to wait; it usually needs much less."""

STATUS: dict[type[AdminError], int] = {
    Invalid: 422,
    Malformed: 400,
    TooLarge: 413,
    Unauthenticated: 401,
    BadSignature: 401,
    Forbidden: 403,
    NotFound: 404,
    WrongMethod: 405,
    PaymentRefused: 402,
    Conflict: 409,
    NotReady: 409,
    StaleRevision: 412,
    Unavailable: 503,
    Lost: 503,
    Deferred: 503,
}

_log = logging.getLogger(__name__)


def respond(error: AdminError, headers: dict[str, str] | None = None) -> Response:
    """The reply for one of our errors."""
    status = STATUS[type(error)]
    sent = dict(headers or {})
    if status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    if isinstance(error, NotReady):
        sent["Retry-After"] = str(READY_AFTER_S)
    if status == 503:
        sent["Retry-After"] = str(RETRY_AFTER_S)
    members: dict[str, Any] = dict(error.members)
    if isinstance(error, Invalid):
        members["errors"] = [each.as_json() for each in error.errors]
    return _reply(status, error.code, error.detail, members, sent)


def _reply(status: int, code: str, detail: str, members: dict[str, Any], headers: dict[str, str]) -> Response:
    document = {
        "type": f"urn:seckill:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
    }
    return Response(orjson.dumps(document), status, headers, CONTENT_TYPE)


async def handle(_request: Request, error: Exception) -> Response:
    """The same as a handler for Starlette, which raises errors of its own (no such path, wrong method)."""
    return describe(error)


def describe(error: Exception) -> Response:
    """Turn whatever stopped a request into a problem; what is nobody's fault but ours is logged."""
    match error:
        case AdminError():
            return respond(error)
        case HTTPException(status_code=405):
            return respond(WrongMethod("this path has other methods"), dict(error.headers or {}))
        case HTTPException(status_code=404):
            return respond(NotFound("there is no such path"))
        case HTTPException():
            return _reply(error.status_code, "http", str(error.detail), {}, dict(error.headers or {}))
        case OperationalError() | InterfaceError():
            _log.warning("the database could not be used: %s", error.orig)
            return respond(Unavailable("the database cannot be reached; nothing was stored", code="database_away"))
        case RedisError():
            _log.warning("Redis could not be used: %s", error)
            return respond(Unavailable("Redis cannot be reached", code="redis_away"))
        case _:
            _log.error("a request failed", exc_info=error)
            return _reply(500, "internal", "something went wrong here; it has been logged", {}, {})

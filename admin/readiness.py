"""Alive, and able to do its work; with the reasons when it is not."""

from __future__ import annotations

from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from admin import migrations
from admin.routing import Call, Endpoint
from gateway.orders.database import reading


class Health(BaseModel):
    """The process answers."""

    status: str


class Readiness(BaseModel):
    """Whether every part is there; `reasons` is empty when `ready`."""

    ready: bool
    reasons: list[str]


def _alive(_call: Call) -> Health:
    return Health(status="alive")


def _ready(call: Call) -> Response:
    reasons = []
    try:
        with reading(call.resources.engine) as connection:
            lacking = migrations.lacks(connection)
        if lacking is not None:
            reasons.append(lacking)
    except SQLAlchemyError:
        reasons.append("the database cannot be reached")
    try:
        call.resources.redis.ping()
    except RedisError:
        reasons.append("Redis cannot be reached")
    for each in call.rounds:
        reasons += each.complaints()
    state = Readiness(ready=not reasons, reasons=reasons)
    return Response(state.model_dump_json(), 200 if state.ready else 503, media_type="application/json")


ENDPOINTS = (
    Endpoint("GET", "/admin/api/healthz", "is_alive", "The process answers", _alive, Health, caller="anybody"),
    Endpoint(
        "GET",
        "/admin/api/readyz",
        "is_ready",
        "Database, Redis and the sidecar's threads do their work; 503 with the same body when not",
        _ready,
        Readiness,
        caller="anybody",
    ),
)

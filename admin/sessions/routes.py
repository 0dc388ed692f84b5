"""Sessions 場次 over HTTP."""

from __future__ import annotations

from admin.crud import Models, Summaries, operations
from admin.routing import Body
from admin.sessions import service
from admin.sessions.models import Session, SessionChange, SessionFilter, SessionInput, SessionPage

_EXAMPLE = {"id": "evening", "name": "Evening", "starts": "20:00", "ends": "00:00"}

ENDPOINTS = operations(
    service,
    "/admin/api/sessions",
    "id",
    "session",
    Models(Session, SessionPage, SessionFilter),
    Summaries(
        create="Make a session: a time of day in the shop's zone",
        list="Sessions by time of day",
        change="Change some fields of a session",
        delete="Delete a session that no live campaign takes place in",
    ),
    create=Body((SessionInput,), {"evening": _EXAMPLE}),
    change=Body((SessionChange,), {"earlier": {"starts": "19:30"}}),
    may_conflict=("delete",),
)

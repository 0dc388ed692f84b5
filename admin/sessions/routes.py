"""Sessions 場次 over HTTP."""

from __future__ import annotations

from admin.catalog.models import Deleted
from admin.routing import Body, Call, Endpoint
from admin.sessions import service
from admin.sessions.models import Session, SessionChange, SessionFilter, SessionInput, SessionPage

_LIST = "/admin/api/sessions"
_ONE = "/admin/api/sessions/{id}"

_EXAMPLE = {"id": "evening", "name": "Evening", "starts": "20:00", "ends": "00:00"}


def _create(call: Call) -> Session:
    return service.create(call.resources, call.body, actor=call.actor)


def _list(call: Call) -> SessionPage:
    return service.page(call.resources, call.query(SessionFilter))


def _read(call: Call) -> Session:
    return service.read(call.resources, call.path["id"])


def _change(call: Call) -> Session:
    return service.change(call.resources, call.path["id"], call.body, actor=call.actor, if_match=call.if_match)


def _delete(call: Call) -> Deleted:
    service.remove(call.resources, call.path["id"], actor=call.actor, if_match=call.if_match)
    return Deleted(deleted=call.path["id"])


ENDPOINTS = (
    Endpoint(
        "POST",
        _LIST,
        "create_session",
        "Make a session: a time of day in the shop's zone",
        _create,
        Session,
        status=201,
        body=Body((SessionInput,), {"evening": _EXAMPLE}),
        problems=(409,),
    ),
    Endpoint("GET", _LIST, "list_sessions", "Sessions by time of day", _list, SessionPage, query=SessionFilter),
    Endpoint("GET", _ONE, "read_session", "One session", _read, Session, problems=(404,)),
    Endpoint(
        "PATCH",
        _ONE,
        "change_session",
        "Change some fields of a session",
        _change,
        Session,
        body=Body((SessionChange,), {"earlier": {"starts": "19:30"}}),
        problems=(404, 412),
    ),
    Endpoint(
        "DELETE",
        _ONE,
        "delete_session",
        "Delete a session that no live campaign takes place in",
        _delete,
        Deleted,
        problems=(404, 409, 412),
    ),
)

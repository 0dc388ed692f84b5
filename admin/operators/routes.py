"""Operators over HTTP: for owners, and for everybody their own password."""

from __future__ import annotations

from admin.crud import Models, Summaries, operations
from admin.operators import service
from admin.operators.models import (
    OperatorChange,
    OperatorFilter,
    OperatorInput,
    OperatorPage,
    OperatorView,
    PasswordInput,
)
from admin.routing import Body, Call, Endpoint

_EXAMPLE = {"name": "amy", "role": "editor", "password": "three unlikely words"}


def _own_password(call: Call) -> OperatorView:
    return service.change_password(call.resources, call.actor, call.body)


ENDPOINTS = (
    *operations(
        service,
        "/admin/api/operators",
        "name",
        "operator",
        Models(OperatorView, OperatorPage, OperatorFilter),
        Summaries(
            create="Make an operator",
            list="Operators by name",
            change="Give an operator another role or password; they are signed out",
            delete="Delete an operator; they are signed out",
        ),
        create=Body((OperatorInput,), {"amy": _EXAMPLE}),
        change=Body((OperatorChange,), {"role": {"role": "viewer"}}),
        may_conflict=("change", "delete"),
        role="owner",
    ),
    Endpoint(
        "POST",
        "/admin/api/me/password",
        "change_own_password",
        "Give yourself another password; you are signed out",
        _own_password,
        OperatorView,
        body=Body((PasswordInput,), {"new": {"now": "three unlikely words", "new": "four more unlikely words"}}),
        problems=(404,),
        role="viewer",
    ),
)

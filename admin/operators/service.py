"""Operators: make, read, change, delete. There is always an owner, or nobody could make another."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from admin.audit import service as audit
from admin.errors import Conflict, Invalid
from admin.inputs import check
from admin.operators import passwords
from admin.operators.models import (
    OperatorChange,
    OperatorFilter,
    OperatorInput,
    OperatorPage,
    OperatorView,
    PasswordInput,
)
from admin.operators.tables import operator_sessions, operators
from admin.records import Records
from admin.resources import Resources
from gateway.orders.database import reading, writing

_OPERATORS = Records("operator", operators, key="name", order=("name",), taken="there is an {word} {key} already")


def create(resources: Resources, body: object, *, actor: str) -> OperatorView:
    """Make an operator.

    Raises:
        Invalid: with every problem of the input.
        Conflict: the name is taken.
    """
    given = check(OperatorInput, body)
    values = {"name": given.name, "role": given.role, "password": passwords.hashed(given.password)}
    with writing(resources.engine) as connection:
        return _OPERATORS.create(connection, values, partial(_show, resources), actor=actor)


def create_first(resources: Resources, name: str, *, actor: str) -> str | None:
    """Make an owner where there is no operator yet, and return their password; None where there is one."""
    password = passwords.make()
    values = {"name": name, "role": "owner", "password": passwords.hashed(password)}
    with writing(resources.engine) as connection:
        if connection.execute(select(func.count()).select_from(operators)).scalar_one():
            return None
        _OPERATORS.create(connection, values, partial(_show, resources), actor=actor)
    return password


def read(resources: Resources, name: str) -> OperatorView:
    """One operator.

    Raises:
        NotFound: there is none of this name.
    """
    with reading(resources.engine) as connection:
        return _show(resources, _OPERATORS.find(connection, name))


def page(resources: Resources, wanted: OperatorFilter) -> OperatorPage:
    """A page of operators by name.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    with reading(resources.engine) as connection:
        rows, following, _ = _OPERATORS.page(connection, wanted)
    return OperatorPage(items=[_show(resources, row) for row in rows], next=following)


def change(
    resources: Resources, name: str, body: object, *, actor: str, if_match: int | None = None
) -> OperatorView:
    """Give an operator another role or password, which signs them out everywhere.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: they are the last owner.
        Invalid: with every problem of the input.
    """
    given = check(OperatorChange, body)
    values: dict[str, Any] = given.model_dump(include=given.model_fields_set)
    if "password" in values:
        values |= {"password": passwords.hashed(values["password"]), "failures": 0, "locked_until_ms": 0}
    with writing(resources.engine) as connection:
        row = _OPERATORS.lock(connection, name, if_match)
        if values.get("role", row.role) != "owner":
            _keep_an_owner(connection, row)
        _sign_out(connection, name, actor)
        return _OPERATORS.change(connection, row, values, partial(_show, resources), actor=actor)


def change_password(resources: Resources, name: str, body: object) -> OperatorView:
    """Give oneself another password, which signs one out everywhere.

    Raises:
        Invalid: the password of now is not right, or the new one is too short.
    """
    given = check(PasswordInput, body)
    kept = passwords.hashed(given.new)
    with writing(resources.engine) as connection:
        row = _OPERATORS.lock(connection, name, None)
        if not passwords.matches(given.now, row.password):
            raise Invalid.one("now", "wrong_password", "this is not your password")
        _sign_out(connection, name, name)
        return _OPERATORS.change(connection, row, {"password": kept}, partial(_show, resources), actor=name)


def remove(resources: Resources, name: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete an operator; what they did stays in the audit log.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: they are the last owner.
    """
    with writing(resources.engine) as connection:
        row = _OPERATORS.lock(connection, name, if_match)
        _keep_an_owner(connection, row)
        _sign_out(connection, name, actor)
        _OPERATORS.remove(connection, row, partial(_show, resources), actor=actor)


def _keep_an_owner(connection: Connection, row: Row[Any]) -> None:
    # All owners are locked, so that two who resign at once do not both find the other.
    statement = select(operators.c.name).where(operators.c.role == "owner").order_by(operators.c.name)
    owners = connection.execute(statement.with_for_update()).scalars().all()
    if owners == [row.name]:
        raise Conflict(f"{row.name} is the only owner: make somebody else an owner first", code="last_owner")


def _sign_out(connection: Connection, name: str, actor: str) -> None:
    ended = connection.execute(delete(operator_sessions).where(operator_sessions.c.operator == name))
    if ended.rowcount:
        audit.record(connection, actor, "signed_out", "operator", name)


def _show(resources: Resources, row: Row[Any]) -> OperatorView:
    return OperatorView(
        name=row.name,
        role=row.role,
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )

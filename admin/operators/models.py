"""Operators as they are sent and shown. A password is only ever sent in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from admin.inputs import ONE_LINE, UNSET, Input
from admin.operators.passwords import PASSWORD_MAX, PASSWORD_MIN
from admin.operators.roles import Role
from admin.paging import Page

Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,39}$", max_length=40, description="for signing in")
]
Password = Annotated[str, Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX), ONE_LINE]


class OperatorInput(Input):
    """A new operator."""

    name: Name
    role: Role
    password: Password


class OperatorChange(Input):
    """What may be changed about an operator; either signs them out everywhere."""

    role: Role = UNSET
    password: Password = UNSET


class PasswordInput(Input):
    """One's own new password, and the one that is valid now."""

    now: Annotated[str, Field(max_length=PASSWORD_MAX)]
    new: Password


class OperatorView(BaseModel):
    """An operator."""

    name: str
    role: Role
    revision: int
    created_at: str
    updated_at: str


class OperatorFilter(Page):
    """Which operators to list."""


class OperatorPage(BaseModel):
    """Operators by name."""

    items: list[OperatorView]
    next: str | None

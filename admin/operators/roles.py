"""What an operator may do. Each role may do what those before it may."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["viewer", "editor", "owner"]

ROLES: tuple[Role, ...] = get_args(Role)
"""Viewers look, editors change, owners also decide about operators and about paying everybody back."""


def may(role: Role, needed: Role) -> bool:
    """Whether somebody with `role` may do what `needed` is needed for."""
    return ROLES.index(role) >= ROLES.index(needed)

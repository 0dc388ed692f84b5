"""Notices as shoppers see them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from admin.inputs import Input

Kind = Literal["reminder", "group_full", "group_failed", "balance_due", "balance_ends", "balance_missed", "refund"]


class Notice(BaseModel):
    """Something a shopper is told; `data` depends on its kind. `read_at` is null while it is unread."""

    id: int
    kind: Kind
    data: dict[str, Any]
    created_at: str
    read_at: str | None


class NoticesRead(Input):
    """Up to which notice the shopper has read, that one included."""

    up_to: int = Field(ge=1, le=2**63 - 1)


class Unread(BaseModel):
    """How many notices a shopper has not read."""

    unread: int


class NoticePage(BaseModel):
    """A shopper's notices, newest first; `unread` counts all of them."""

    items: list[Notice]
    next: str | None
    unread: int

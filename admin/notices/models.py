"""Notices as shoppers see them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

Kind = Literal["reminder", "group_full", "group_failed", "balance_due", "balance_ends", "balance_missed", "refund"]


class Notice(BaseModel):
    """Something a shopper is told; `data` depends on its kind."""

    id: int
    kind: Kind
    data: dict[str, Any]
    created_at: str


class NoticePage(BaseModel):
    """A shopper's notices, newest first."""

    items: list[Notice]
    next: str | None

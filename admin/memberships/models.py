"""Memberships as shoppers see theirs."""

from __future__ import annotations

from pydantic import BaseModel

from admin.members.models import PaidUntil


class MyMembership(BaseModel):
    """The reader's level now, and until when it lasts where it was paid for; `bought` are all levels that they
    bought here and that have not ended, the highest first.
    """

    level: int
    until: str | None
    bought: list[PaidUntil]

"""Memberships as shoppers see theirs, and what operators see of all that were bought."""

from __future__ import annotations

from pydantic import BaseModel

from admin.inputs import QueryText
from admin.members.models import PaidUntil
from admin.paging import Page


class MyMembership(BaseModel):
    """The reader's level now, and until when it lasts where it was paid for; `bought` are all levels that they
    bought here and that have not ended, the highest first.
    """

    level: int
    until: str | None
    bought: list[PaidUntil]


class Grant(BaseModel):
    """What a line of an order has made of its buyer. `units` are those that were not paid back, `days` of each."""

    order_no: str
    line: int
    shopper: str
    level: int
    days: int
    units: int
    starts_at: str
    ends_at: str
    revoked: bool


class GrantFilter(Page):
    """Which grants to show."""

    shopper: QueryText | None = None


class GrantPage(BaseModel):
    """Grants, those that end last first."""

    items: list[Grant]
    next: str | None

"""Members as operators send and see them."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from admin.inputs import PARAGRAPHS, UNSET, Input, Instant, QueryInt, QueryText, refuse
from admin.paging import Numbered
from admin.promotions.audience import Level
from gateway.tokens import SUBJECT_CHARACTERS_MAX

_A_LEAP_YEAR = 2000


def _printable(shopper: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shopper):
        raise refuse("control_character", "control characters are not allowed")
    return shopper


def _birthday(text: str) -> str:
    try:
        date(_A_LEAP_YEAR, int(text[:2]), int(text[3:]))
    except ValueError as error:
        raise refuse("no_such_day", "want a day that there is in some year, as MM-DD") from error
    return text


ShopperId = Annotated[
    str,
    Field(min_length=1, max_length=SUBJECT_CHARACTERS_MAX, description="the `sub` of the shopper's tokens"),
    AfterValidator(_printable),
]
Birthday = Annotated[str, Field(pattern=r"^\d\d-\d\d$", max_length=5), AfterValidator(_birthday)]
Note = Annotated[str, Field(min_length=1, max_length=500), PARAGRAPHS]
MemberSort = Literal["shopper", "-shopper", "level", "-level", "updated_at", "-updated_at"]


class PaidMembership(Input):
    """A membership that was paid for: it sets the level until its end."""

    level: int = Field(ge=1, le=1000)
    until: Instant


class MemberInput(Input):
    """A new member."""

    shopper: ShopperId
    level: Level = 0
    since: Instant | None = None
    birthday: Birthday | None = None
    first_paid_at: Annotated[Instant | None, Field(description="first paid order, also in an earlier shop")] = None
    paid: PaidMembership | None = None
    note: Note | None = None


class MemberChange(Input):
    """What changes; what is left out stays. The shopper never changes."""

    level: Level = UNSET
    since: Instant | None = None
    birthday: Birthday | None = None
    first_paid_at: Instant | None = None
    paid: PaidMembership | None = None
    note: Note | None = None


class PaidUntil(BaseModel):
    """A membership that was paid for."""

    level: int
    until: str


class Member(BaseModel):
    """A member. `effective_level` is what counts now: the highest of `paid` and `bought` until they end, else
    `level`. `bought` is what they bought in this shop; it comes and goes with their orders.
    """

    shopper: str
    level: int
    effective_level: int
    since: str | None
    birthday: str | None
    first_paid_at: str | None
    paid: PaidUntil | None
    bought: PaidUntil | None
    note: str | None
    revision: int
    created_at: str
    updated_at: str


class MemberFilter(Numbered):
    """Which members to show."""

    level: Annotated[QueryInt | None, Field(description="their effective level now")] = None
    q: Annotated[QueryText | None, Field(description="a part of the shopper id or the note")] = None
    sort: Annotated[MemberSort | None, Field(description="by shopper id when absent; - is descending")] = None


class MemberPage(BaseModel):
    """Members by shopper id."""

    items: list[Member]
    next: str | None
    total: int | None = None

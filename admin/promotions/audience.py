"""Whom a campaign is for, and what is known of the shopper who asks."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from admin.errors import FieldError
from admin.inputs import Input

Level = Annotated[int, Field(ge=0, le=1000)]


class Audience(Input):
    """Whom a campaign is for. Conditions belong to `members`; all that are given hold."""

    kind: Literal["everyone", "members"] = "everyone"
    levels: Annotated[list[Level], Field(min_length=1, max_length=100)] | None = None
    member_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    birthday: Literal["day", "month"] | None = None
    new_customer: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Without the conditions that are not given."""
        return self.model_dump(exclude_none=True)


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who asks for a price. `guest` has not signed in; `member` says that the shop has a record of them.

    `since` is a civil date in the shop's zone, `birthday` is `MM-DD`; None is not known.
    """

    sub: str | None = None
    guest: bool = False
    member: bool = False
    level: int = 0
    since: date | None = None
    birthday: str | None = None
    new_customer: bool = False


GUEST = Shopper(guest=True)


def guard_audience(audience: Audience) -> list[FieldError]:
    """Conditions are for members only."""
    if audience.kind == "members":
        return []
    given = audience.model_dump(exclude={"kind"}, exclude_none=True)
    return [FieldError(f"audience.{name}", "needs_members", 'conditions need "kind": "members"') for name in given]


def refuses(audience: Audience, shopper: Shopper, today: date) -> str | None:
    """The first condition that a shopper does not meet, as the code of a reason; None when all are met.

    `today` is the civil date in the shop's zone.
    """
    if audience.kind == "everyone":
        return None
    if shopper.guest:
        return "members_only"
    if audience.levels is None and not audience.member_days and not audience.birthday and not audience.new_customer:
        return None if shopper.level >= 1 or shopper.member else "members_only"
    if audience.levels is not None and shopper.level not in audience.levels:
        return "level"
    if audience.member_days is not None and (
        shopper.since is None or (today - shopper.since).days < audience.member_days
    ):
        return "member_days"
    if audience.birthday is not None and not _celebrates(audience.birthday, shopper.birthday, today):
        return "birthday"
    if audience.new_customer and not shopper.new_customer:
        return "new_customer"
    return None


def _celebrates(when: str, birthday: str | None, today: date) -> bool:
    if birthday is None:
        return False
    month, day = int(birthday[:2]), int(birthday[3:])
    if when == "month":
        return today.month == month
    if (month, day) == (2, 29) and not calendar.isleap(today.year):
        day = 28
    return (today.month, today.day) == (month, day)

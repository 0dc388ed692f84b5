"""Sessions 場次 as operators send and see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from admin.inputs import ONE_LINE, UNSET, Code, Input, QueryText
from admin.paging import Numbered

SessionName = Annotated[str, Field(min_length=1, max_length=100), ONE_LINE]
TimeOfDay = Annotated[
    str,
    Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", max_length=5, description="HH:MM in the shop's zone"),
]
SessionSort = Literal["starts", "-starts", "name", "-name", "id", "-id"]


class SessionInput(Input):
    """A new session. One that ends before it starts ends on the next day."""

    id: Annotated[Code | None, Field(description="made from the name when not given")] = None
    name: SessionName
    starts: TimeOfDay
    ends: TimeOfDay


class SessionChange(Input):
    """What changes; what is left out stays. Campaigns that are published already keep their window."""

    name: SessionName = UNSET
    starts: TimeOfDay = UNSET
    ends: TimeOfDay = UNSET


class Session(BaseModel):
    """A session."""

    id: str
    name: str
    starts: str
    ends: str
    crosses_midnight: bool
    revision: int
    created_at: str
    updated_at: str


class SessionFilter(Numbered):
    """Which sessions to show."""

    q: Annotated[QueryText | None, Field(description="a part of the id or the name")] = None
    sort: Annotated[SessionSort | None, Field(description="by time of day when absent; - is descending")] = None


class SessionPage(BaseModel):
    """Sessions by time of day."""

    items: list[Session]
    next: str | None
    total: int | None = None

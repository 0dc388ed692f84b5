"""Reminders as shoppers send and see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from admin.inputs import ONE_LINE, Input

BEFORE_DEFAULT_S = 300
BEFORE_MAX_S = 7 * 24 * 3600

State = Literal["waiting", "sending", "sent", "dropped"]
Reason = Literal["removed", "terminated", "ended"]


class ReminderInput(Input):
    """Which offer, and how long before its start, seconds."""

    offer: Annotated[str, Field(min_length=1, max_length=120), ONE_LINE]
    before_s: Annotated[int, Field(ge=0, le=BEFORE_MAX_S, description="seconds before the start")] = (
        BEFORE_DEFAULT_S
    )


class Reminder(BaseModel):
    """A reminder. One is dropped when its offer was removed or terminated, or had ended before it was due.

    `sku`, `name` and `starts_at` are those of the offer; null when it is there no more.
    """

    id: int
    offer: str
    before_s: int
    due_at: str
    state: State
    reason: Reason | None
    created_at: str
    sku: str | None
    name: str | None
    starts_at: str | None


class ReminderPage(BaseModel):
    """A shopper's reminders, newest first."""

    items: list[Reminder]
    next: str | None


class Withdrawn(BaseModel):
    """The reminder that is no more."""

    deleted: int

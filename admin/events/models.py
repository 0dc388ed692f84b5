"""Events and webhooks as operators see and send them."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from admin.inputs import UNSET, Input, Query, QueryInt, refuse
from admin.paging import PAGE_DEFAULT, PAGE_MAX

NUMBER_MAX = 2**63 - 1
URL_MAX = 2000
KINDS_MAX = 50
KIND = r"^(\*|[a-z_]{1,20}\.(\*|[a-z_]{1,19}))$"


def is_encrypted_or_here(url: str) -> bool:
    """Whether nobody between here and an address can read what is sent there."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _url(text: str) -> str:
    problem = refuse("bad_url", "want an absolute https:// URL without user name, password and fragment")
    try:
        parts = urlsplit(text)
        # Reading the port checks it.
        odd = parts.port == 0 or parts.username is not None or parts.password is not None
    except ValueError as error:
        raise problem from error
    if odd or parts.scheme not in {"http", "https"} or not parts.hostname or "#" in text:
        raise problem
    return text


Url = Annotated[str, Field(min_length=1, max_length=URL_MAX, pattern=r"^https?://[!-~]+$"), AfterValidator(_url)]
Kinds = Annotated[
    list[Annotated[str, Field(pattern=KIND)]],
    Field(max_length=KINDS_MAX, description="such as order.paid or order.*; empty: all"),
]


class EventFilter(Query):
    """Which events to show."""

    after: Annotated[QueryInt, Field(ge=0, le=NUMBER_MAX, description="the number of the last one known")] = 0
    kind: Annotated[str, Field(pattern=KIND, description="such as order.paid or order.*")] | None = None
    limit: Annotated[QueryInt, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class EventView(BaseModel):
    """Something that happened. `subject` is what it is about: an order's number, a campaign's code."""

    id: str
    kind: str
    subject: str
    at: str
    number: int
    data: dict[str, Any]


class EventPage(BaseModel):
    """Events in the order of their numbers. `last` is what to ask after next time, also when there are none."""

    items: list[EventView]
    last: int


class WebhookInput(Input):
    """A new webhook. It gets what happens from now on."""

    url: Url
    kinds: Kinds = Field(default_factory=list)
    paused: bool = False


class WebhookChange(Input):
    """What may be changed about a webhook."""

    url: Url = UNSET
    kinds: Kinds = UNSET
    paused: bool = UNSET


class ReplayInput(Input):
    """The number after which events are sent again."""

    after: int = Field(ge=0, le=NUMBER_MAX)


class Webhook(BaseModel):
    """Where events are sent, and how that goes.

    `position` is the number of the last event it has had, `behind` how many numbers there are after it; `attempts`
    are failed tries since, with `last_error`. The secret is told when a webhook is made, and by its own address.
    """

    id: str
    url: str
    kinds: list[str]
    paused: bool
    position: int
    behind: int
    attempts: int
    next_try_at: str | None
    last_error: str | None
    last_taken_at: str | None
    secret: str | None
    revision: int
    created_at: str
    updated_at: str


class WebhookPage(BaseModel):
    """Webhooks, newest first."""

    items: list[Webhook]
    next: str | None


class WebhookSecret(BaseModel):
    """The key of the signatures of a webhook's events."""

    secret: str


class Tested(BaseModel):
    """What became of an event of the kind ping."""

    taken: bool
    error: str | None

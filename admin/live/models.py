"""A sale at one moment, as operators watch it, and the campaigns of some days."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from admin.campaigns.states import State
from admin.inputs import Query
from admin.reports.models import QueryDate

Part = Literal["redis", "writer", "gateways", "ledger"]
Reason = Literal[
    "redis_away",
    "redis_refuses",
    "redis_cannot_write",
    "clients_not_told",
    "writer_silent",
    "writer_late",
    "no_gateway",
    "database_away",
]


class LiveOffer(BaseModel):
    """One offer. Units: `held` by shoppers, `left` to sell; all three are null while Redis lacks the offer."""

    offer: str
    sku: str
    name: str
    stock: int | None
    held: int | None
    left: int | None
    clicks: dict[str, int] = Field(description="by outcome, since the offer was made")


class LiveOrders(BaseModel):
    """Orders in the ledger: to be paid, ever paid, ended unpaid."""

    pending: int
    paid: int
    unpaid: int


class LiveWinner(BaseModel):
    """Somebody who won."""

    order_no: str
    shopper: str
    sku: str
    quantity: int
    status: str
    won_at: str


class LiveWriter(BaseModel):
    """`backlog` winners wait for the order writer, the oldest for `lag_ms`; `dead` could never be written."""

    backlog: int
    lag_ms: int
    dead: int


class LiveHealth(BaseModel):
    """Whether a part does its work; `reason` says why not, or what cannot be known, `seconds` for how long."""

    part: Part
    ok: bool
    reason: Reason | None = None
    seconds: int | None = None


class LivePoint(BaseModel):
    """One second: clicks per second by outcome, smoothed over a few, and the units that shoppers held."""

    at: str
    clicks: dict[str, float]
    held: int


class LiveSale(BaseModel):
    """One campaign among all sales."""

    code: str
    name: str | None
    state: State
    starts_at: str
    ends_at: str
    stock: int
    held: int
    left: int
    rate: float = Field(description="clicks per second")


class Live(BaseModel):
    """A sale, or all that are on, at one moment.

    `rates` are clicks per second by outcome. `history` has the last two minutes, the newest last; in a stream only
    the first event has it. `orders` and `winners` are null in the event of all sales.
    """

    code: str | None
    name: str | None
    state: State | None
    starts_at: str | None
    ends_at: str | None
    at: str
    rates: dict[str, float]
    held: int
    stock: int
    offers: list[LiveOffer]
    orders: LiveOrders | None
    winners: list[LiveWinner] | None
    writer: LiveWriter | None = Field(description="null while Redis cannot be asked")
    health: list[LiveHealth]
    sales: list[LiveSale] = Field(description="the campaigns that are on, in the event of all sales")
    history: list[LivePoint]


class CalendarDays(Query):
    """Which days of the shop's zone, the last one included."""

    first: QueryDate = Field(alias="from")
    last: QueryDate = Field(alias="to")


class CalendarOverlap(BaseModel):
    """Another campaign that holds some of the same goods at some of the same time. `skus` are the first of `goods`.

    `winner` is whose goods a line joins by default, and `why`; null when one of the two has a button of its own.
    """

    code: str
    goods: int
    skus: list[str]
    winner: str | None
    why: Literal["priority", "start", "code", "own_button"]


class CalendarEntry(BaseModel):
    """A campaign in the calendar, with the session it is if it is one. Ended early, it ends then."""

    code: str
    type: str
    name: str | None
    state: State
    starts_at: str
    ends_at: str
    priority: int
    session: str | None
    overlaps: list[CalendarOverlap]


class Calendar(BaseModel):
    """Campaigns of some days, drafts with a window too. `more`: there were too many to show."""

    zone: str
    entries: list[CalendarEntry]
    more: bool

"""A sale at one moment, as operators watch it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from admin.campaigns.states import State

Part = Literal["redis", "writer", "gateways", "ledger"]


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
    """Whether a part does its work; `reason` says why not, or what cannot be known."""

    part: Part
    ok: bool
    reason: str | None


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

"""What is said about groups, and what may be asked of them. Money is minor units of the shop's currency."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from admin.inputs import PARAGRAPHS, UNSET, Code, Input, Money, QueryText, Sku
from admin.orders.models import Address, OrderInFull
from admin.paging import Page
from admin.promotions.cart import QUANTITY_MAX
from admin.promotions.model import Channel, StoreId

Note = Annotated[str, Field(min_length=1, max_length=500), PARAGRAPHS]
State = Literal["open", "full", "failed", "closed"]


class Seat(Input):
    """A seat in a group: how many units its shopper buys, and from where."""

    quantity: int = Field(default=1, ge=1, le=QUANTITY_MAX)
    channel: Channel = "web"
    store: StoreId = Field(default=UNSET, description="with channel store: which one")
    address: Address = UNSET
    note: Note = UNSET


class NewGroup(Seat):
    """A group to open, and the first seat in it."""

    campaign: Code
    sku: Sku


class GroupFilter(Page):
    """Which groups to show."""

    campaign: QueryText | None = None
    sku: QueryText | None = None


class Group(BaseModel):
    """A group. `open` ones may be joined while a seat is left and the deadline has not come.

    `full`: every seat is paid for, or was filled at the deadline. `failed`: it stayed short, and everybody is paid
    back. `closed`: everybody left. A seat is held from joining to the end of the time to pay.
    """

    id: str
    campaign: Code
    sku: Sku
    name: str
    price: Money
    base_price: Money
    currency: str
    limit_per_shopper: int = Field(description="units")
    size: int
    seats_held: int = Field(description="paid for or not")
    seats_paid: int
    seats_left: int
    state: State
    opened_at: str
    deadline: str
    server_time: str
    url: str = Field(description="its page, to be shared; relative to the shop")


class GroupMember(BaseModel):
    """A seat that is taken. `virtual` ones were filled by the shop; `me` is whoever asks."""

    leader: bool
    paid: bool
    virtual: bool
    me: bool


class GroupInFull(Group):
    """A group with its seats, in the order in which they were taken."""

    members: list[GroupMember]
    my_order_no: str | None = Field(description="the order of whoever asks, if they are in")


class GroupWithOrder(GroupInFull):
    """A group and the caller's order in it."""

    order_no: str
    order: OrderInFull


class GroupPage(BaseModel):
    """Groups that may be joined, the nearest deadline first."""

    items: list[Group]
    next: str | None


class Progress(BaseModel):
    """One event of a stream: how far a group is."""

    seats_held: int
    seats_paid: int
    seats_left: int
    state: State

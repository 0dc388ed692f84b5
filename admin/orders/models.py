"""What is said about orders, and what may be asked of them. Money is minor units of the order's currency."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from admin.inputs import ONE_LINE, UNSET, Input, Query, QueryInstant, QueryText
from admin.paging import Page

Status = Literal[
    "pending",
    "deposit_paid",
    "balance_due",
    "awaiting_group",
    "paid",
    "shipped",
    "completed",
    "refunding",
    "cancelled",
    "expired",
    "refunded",
]

Flow = Literal["seckill", "cart", "presale", "group_buy"]

Line = Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
Word = Annotated[str, Field(min_length=1, max_length=100), ONE_LINE]


class OrderKind(Query):
    """Which orders, as shoppers may choose too."""

    offer: QueryText | None = None
    flow: Flow | None = None
    status: Status | None = None


class MyOrders(OrderKind, Page):
    """Which of a shopper's own orders to show."""


class OrderChoice(OrderKind):
    """Which orders. `campaign` and `sku` are of any line, `coupon` as it was typed or its own code."""

    campaign: QueryText | None = None
    sku: QueryText | None = None
    coupon: QueryText | None = None
    shopper: QueryText | None = None
    q: Annotated[
        QueryText | None, Field(description="the order's number, its shopper, or an offer, campaign or SKU in it")
    ] = None
    since: Annotated[QueryInstant | None, Field(description="made not before this instant")] = None
    until: Annotated[QueryInstant | None, Field(description="made before this instant")] = None


class OrderFilter(OrderChoice, Page):
    """Which orders to show."""


class Address(Input):
    """Where the goods go."""

    name: Word
    phone: Annotated[str, Field(min_length=3, max_length=40, pattern=r"^\+?[0-9 ()/.-]+$")]
    line1: Line
    line2: Line = UNSET
    city: Word
    region: Word = UNSET
    postal_code: Annotated[str, Field(min_length=1, max_length=20), ONE_LINE] = UNSET
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1, two letters")]


class Shipment(Input):
    """Who carries the goods, and under which number."""

    carrier: Annotated[str, Field(min_length=1, max_length=60), ONE_LINE]
    tracking_no: Annotated[str, Field(min_length=1, max_length=80), ONE_LINE]


class LineCount(BaseModel):
    """So many units of one line of an order."""

    line: int
    quantity: int


class GiftKept(BaseModel):
    """Pieces of a gift that are kept and no longer earned, and what they are worth at the base price then."""

    line: int
    sku: str
    quantity: int
    value: int


class Refund(BaseModel):
    """Money on its way back, or back.

    `requested` waits for an operator, `sending` for the provider. `reason` is `asked`, what the shop did it for
    (`group_failed`, `balance_missed`, `terminated`), `late_payment` (the order was over when the money came) or
    `double_payment` (another payment had paid it); those two concern no units.
    """

    id: str
    units: list[int]
    lines: list[LineCount] = Field(description="the same by line")
    amount: int
    held_back: int = Field(
        description="what the units cost less the amount: for gifts that the kept units no longer earn; negative "
        "when less is held back than before"
    )
    gifts_kept: list[GiftKept] = Field(description="gifts that the kept units no longer earn")
    state: Literal["requested", "sending", "settled", "rejected"]
    reason: Literal["asked", "group_failed", "balance_missed", "terminated", "late_payment", "double_payment"]
    restock: bool = Field(description="the units went back on sale")
    requested_at: str
    settled_at: str | None


class OrderLine(BaseModel):
    """One product of an order. `unit_payables` are what each of its units costs in the end, discounts off.

    `units` are the numbers of those that the order holds now, `units_refunded` of those that were paid back.
    """

    line: int
    kind: Literal["goods", "add_on", "gift"]
    sku: str
    name: str
    quantity: int
    base_price: int = Field(description="the product's own price at the time")
    unit_price: int
    campaign: str | None
    discount: int
    coupon_discount: int
    payable: int
    unit_payables: list[int]
    units: list[int]
    units_refunded: list[int]


class PresaleParts(BaseModel):
    """What a pre-sale costs, as it was at the deposit; all units, before a coupon but for `balance`."""

    mode: Literal["leverage", "confirm"]
    price: int
    deposit: int
    credit: int
    balance: int
    balance_starts_at: str
    balance_ends_at: str
    ships_at: str | None
    on_unpaid: Literal["forfeit", "refund"]


class Order(BaseModel):
    """An order. Its lines are goods, then add-ons, then gifts; one that the gateway sold has one line.

    `units` are the unit numbers it holds now, `units_released` those it has given back for sale,
    `units_refunded` those that were paid back and are not sold again. Numbers are those of the offer where the
    gateway sold it, else they count through the order. `offer`, `price` and `won_at` are null then, `campaign` and
    `sku` those of an order that is in one campaign with one product. `paid` is the money taken so far, `refunded`
    what was paid back of it; money that came too late or twice and went back is in neither.
    """

    order_no: str
    flow: Flow
    offer: str | None
    campaign: str | None
    sku: str | None
    shopper: str
    lines: list[OrderLine]
    campaigns: list[str] = Field(description="of all lines")
    units: list[int]
    units_released: list[int]
    units_refunded: list[int]
    quantity: int
    price: int | None
    subtotal: int
    discount: int
    coupon: str | None
    coupon_discount: int
    total: int
    paid: int
    refunded: int
    currency: str
    status: Status
    created_at: str
    expire_at: str
    won_at: str | None
    pay_by: str
    paid_at: str | None
    shipped_at: str | None
    channel: str | None
    note: str | None
    group_id: str | None
    presale: PresaleParts | None
    address: dict[str, str] | None
    carrier: str | None
    tracking_no: str | None
    refunds: list[Refund]


class OrderPage(BaseModel):
    """Orders, newest first."""

    items: list[Order]
    next: str | None


class Event(BaseModel):
    """One step of an order's history; `before` is null where it was made.

    `actor` is `shopper`, `operator` or a part of the system; operators also see which operator.
    """

    at: str
    actor: str
    before: Status | None
    after: Status
    detail: dict[str, Any]


class Payment(BaseModel):
    """One attempt to pay. Without an answer yet it is `started`."""

    id: str
    provider: str
    amount: int
    purpose: Literal["full", "deposit", "balance"]
    state: Literal["started", "settled", "refused"]
    created_at: str
    settled_at: str | None


class OrderInFull(Order):
    """An order with everything that happened to it."""

    history: list[Event]
    payments: list[Payment]

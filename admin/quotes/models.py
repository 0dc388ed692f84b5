"""A quote as shoppers and operators ask for it and see it. Replies are documented here, not made: see `quoting`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from admin.inputs import UNSET, Code, Input, Instant, Money, Sku, refuse
from admin.members.models import Birthday, ShopperId
from admin.promotions.audience import Level
from admin.promotions.cart import Cart

Reason = Annotated[str, Field(description="`code: sentence`, the sentence in the reader's language")]


class QuotedShopper(Input):
    """For whom an operator asks: somebody by id, or the facts of somebody made up."""

    sub: ShopperId | None = Field(default=None, description="with no other field")
    level: Level = 0
    since: Instant | None = None
    birthday: Birthday | None = None
    new_customer: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> QuotedShopper:
        if self.sub is not None and self.model_fields_set != {"sub"}:
            raise refuse("sub_alone", "what is known of a shopper comes from their record: send sub alone")
        return self


class CartAs(Cart):
    """A cart at another moment, or of another person; absent: now, and a guest."""

    at: Instant = UNSET
    shopper: QuotedShopper = UNSET


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class QuoteChoice(_Part):
    """A campaign that a line could join, and what became of it. `payable` is the line's if it were joined."""

    campaign: str
    type: str | None
    label: str | None
    state: Literal[
        "applied",
        "not_reached",
        "beaten",
        "not_eligible",
        "not_running",
        "excluded",
        "exhausted",
        "own_button",
        "error",
    ]
    reason: Reason | None
    payable: Money | None


class QuoteLine(_Part):
    """A line of the cart. `unit_price` and `subtotal` are base prices, `unit_payables` what each unit costs."""

    line: int
    sku: Sku
    quantity: int
    unit_price: Money
    subtotal: int
    campaign: Code | None
    discount: int
    coupon_discount: int
    payable: int
    unit_payables: list[int]
    state: Literal["ok", "unavailable", "short_stock", "unselected"]
    choices: list[QuoteChoice]


class QuoteGift(_Part):
    """Some pieces of a product given away."""

    line: int
    sku: Sku
    quantity: int
    campaign: Code
    unit_price: Literal[0]


class QuoteAddOn(_Part):
    """A product at its add-on price."""

    line: int
    campaign: Code
    sku: Sku
    quantity: int
    unit_price: Money
    payable: int


class QuoteLeftOff(_Part):
    """A gift or an add-on that the cart does not get."""

    sku: Sku
    campaign: Code
    reason: Reason


class QuotePiece(_Part):
    """Some pieces of a gift."""

    sku: Sku
    quantity: int


class QuoteThen(_Part):
    """What the next step of a ladder gives, in all."""

    discount: int
    gifts: list[QuotePiece]


class QuoteSpendMore(_Part):
    """The next step, by amount: how much more of base price."""

    spend_more: int
    then: QuoteThen


class QuoteBuyMore(_Part):
    """The next step, by count: how many more units."""

    buy_more: int
    then: QuoteThen


class QuoteGroup(_Part):
    """The lines that joined one campaign. `tier` counts from 0, null while no threshold is reached."""

    campaign: Code
    subtotal: int
    units: int
    discount: int
    tier: int | None
    next: QuoteSpendMore | QuoteBuyMore | None


class QuotePresale(_Part):
    """The parts of a pre-sale's price; the balance is after the coupon."""

    deposit: int
    credit: int
    balance: int
    balance_starts_at: str
    balance_ends_at: str


class QuoteCoupon(_Part):
    """What became of the coupon."""

    code: str
    state: Literal[
        "applied",
        "threshold_not_met",
        "nothing_in_scope",
        "not_running",
        "not_eligible",
        "exhausted",
        "not_claimed",
        "unknown",
    ]
    reason: Reason | None
    discount: int


class QuoteChange(_Part):
    """A line that would join another campaign, or none."""

    line: int
    campaign: Code | None


class QuoteLostGift(_Part):
    """Pieces of a gift that the better choice would not have."""

    sku: Sku
    campaign: Code
    quantity: int


class QuoteBetter(_Part):
    """A choice of campaigns that costs less."""

    total: int
    saves: int
    changes: list[QuoteChange]
    gifts_lost: list[QuoteLostGift]


class QuoteSearch(_Part):
    """Whether the choice is certainly the cheapest; if not, how much cheaper one could at most be."""

    proved: bool
    gap: int


class Trial(_Part):
    """The price of a cart, to the last cent. Lines, then add-ons, then gifts are numbered from 1."""

    currency: str
    lines: list[QuoteLine]
    gifts: list[QuoteGift]
    add_ons: list[QuoteAddOn]
    left_off: list[QuoteLeftOff]
    groups: list[QuoteGroup]
    presale: QuotePresale | None
    coupon: QuoteCoupon | None
    subtotal: int
    discount: int
    coupon_discount: int
    total: int = Field(description="what is paid in the end")
    better: QuoteBetter | None = Field(description="with `suggest`, when there is one")
    search: QuoteSearch | None = Field(description='with `suggest` or `"strategy": "best"`')


class Quote(Trial):
    """The price of a cart, to the last cent, which can be ordered with its token."""

    token: str = Field(description="of the stored snapshot; with it the shopper orders at this price")

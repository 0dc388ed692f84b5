"""What the publish gate is asked and what it reports. Amounts are minor units."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from admin.inputs import Code, Input, Query, QueryInt

ORDERS_MAX = 2000


class CheckStored(Input):
    """A draft that is stored already."""

    code: Code


class CheckFilter(Query):
    """How much to price."""

    orders: Annotated[QueryInt, Field(ge=0, le=ORDERS_MAX, description="carts of the newest orders")] = 200


class CheckError(BaseModel):
    """Why publishing would be refused."""

    field: str
    code: str
    message: str


class CheckWarning(BaseModel):
    """What publishing would not refuse, but an operator should know. `skus` are the first of `count`."""

    code: Literal[
        "starts_at_once",
        "label_too_wide",
        "no_goods",
        "not_below_base",
        "below_cost",
        "add_on_below_cost",
        "no_such_member",
    ]
    field: str
    message: str
    count: int
    skus: list[str]


class CheckOverlap(BaseModel):
    """Another campaign that holds some of the same goods at some of the same time. `skus` are the first of `goods`.

    `winner` is whose goods a line joins by default, and `why`; neither when one has a button of its own.
    """

    code: str
    type: str
    name: str
    state: Literal["not_started", "running", "paused"]
    starts_at: str
    ends_at: str
    priority: int
    goods: int
    skus: list[str]
    winner: str | None
    why: Literal["priority", "start", "code", "own_button"]


class BeatenGood(BaseModel):
    """A product that a line would never join the campaign with by default, and the campaigns before it."""

    sku: str
    beaten_by: list[str]


class CheckDead(BaseModel):
    """What nobody would ever get by default. `goods` are the first of `count`."""

    whole: bool
    count: int
    goods: list[BeatenGood]
    audience: Annotated[str | None, Field(description="why nobody can be in the audience")]


class PricedGood(BaseModel):
    """What one unit costs by default without and with the campaign, and in it (`price`).

    `reach_quantity` units alone reach its first step; then the first of them costs `unit_price`. `margin` is the
    smallest that one unit leaves at any step, gifts taken off; null without a cost.
    """

    sku: str
    base: int
    before: int
    after: int
    price: int | None
    reach_quantity: int | None
    unit_price: int | None
    cost: int | None
    margin: int | None


class PricedCatalogue(BaseModel):
    """The goods priced one by one; changes are of `after` against `before`. `items` are the first of them."""

    goods: int
    priced: int
    stopped: bool
    changed: int
    min_change: int
    max_change: int
    avg_change: int
    worst_margin: int | None
    items: list[PricedGood]


class PricedOrders(BaseModel):
    """The carts of the newest orders, priced without and with the campaign."""

    orders: int
    skipped: Annotated[int, Field(description="their product is gone or not on sale")]
    changed: int
    given_before: int
    given_after: int


class Priced(BaseModel):
    """Prices at the moment `at`, for somebody whom the campaign is for."""

    at: str
    channel: str
    shopper: dict[str, Any]
    catalogue: PricedCatalogue
    orders: PricedOrders


class CampaignCheck(BaseModel):
    """The report. Without errors, publishing would succeed now.

    `dead` and `priced` are null while errors leave it open what the campaign would do.
    """

    code: str | None
    type: str
    errors: list[CheckError]
    warnings: list[CheckWarning]
    overlaps: list[CheckOverlap]
    overlaps_total: int
    dead: CheckDead | None
    priced: Priced | None

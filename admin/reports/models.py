"""Reports as operators see them. Money is minor units, net of what was paid back."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from admin.campaigns.states import State
from admin.inputs import Query, refuse


def _date(text: object) -> date:
    wrong = refuse("bad_date", "want a date such as 2026-11-21, in the years 1970 to 2286")
    try:
        found = date.fromisoformat(str(text))
    except ValueError as error:
        raise wrong from error
    # As instants everywhere; and of the ways to write a date only this one.
    if str(found) != text or not 1970 <= found.year <= 2286:
        raise wrong
    return found


QueryDate = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]


class ReportFormat(Query):
    """How the report is wanted."""

    format: Literal["json", "csv"] = "json"


class Days(ReportFormat):
    """Which days of the shop's zone, the last one included."""

    first: QueryDate = Field(alias="from")
    last: QueryDate = Field(alias="to")


class Figures(BaseModel):
    """Figures of one product, or of all together.

    Orders: `orders` were made, `orders_paid` of these paid, whatever became of them later, `orders_unpaid` ended
    unpaid. `units` were ordered, gifts and add-ons apart: those are `add_ons_sold` and `gifts_given`.
    Money, of orders that are paid or may still be: `gmv` is what they cost, less what was paid back of them;
    `given_away` is `discounts` of the campaign, `add_ons` below base price, and base prices of `gifts`; `coupons`
    came off besides. `refunded` went back for units of whatever orders.
    """

    sku: str | None = Field(description="null in the total")
    orders: int
    orders_paid: int
    orders_unpaid: int
    units: int
    add_ons_sold: int
    gifts_given: int
    gmv: int
    refunded: int
    given_away: int
    discounts: int
    add_ons: int
    gifts: int
    coupons: int
    new_customers: int
    first_sale_at: str | None
    last_sale_at: str | None


class OfferFigures(Figures):
    """Figures of one offer of a seckill, or of all together.

    Units: `sold` ever, `left` to sell, `held` by shoppers now (or refunded and not to be sold again), `paid` of
    those held, `expired` given back unpaid.
    """

    offer: str | None
    stock: int
    sold: int
    left: int
    held: int
    paid: int
    expired: int
    clicks: dict[str, int]


class Refunds(BaseModel):
    """Money that went back for the campaign's units; what came too late and never paid for one is not in it."""

    count: int
    amount: int


class PresaleFigures(BaseModel):
    """Orders of a pre-sale by their parts, and the money of these that stays when a balance was never paid."""

    deposits_paid: int
    deposits_amount: int
    balances_paid: int
    balances_amount: int
    balances_open: int = Field(description="deposit paid, balance to come")
    balances_missed: int
    forfeited: int


class GroupFigures(BaseModel):
    """Groups by what became of them, and their seats that are paid for or given away."""

    opened: int
    open: int
    full: int
    failed: int
    closed: int = Field(description="everybody left")
    seats_paid: int
    virtual_seats: int


class Report(BaseModel):
    """How a campaign sells. `live` is false when Redis could not be asked and only the ledger speaks."""

    code: str
    type: str
    name: str | None
    state: State
    currency: str
    generated_at: str
    live: bool
    total: OfferFigures | Figures
    items: list[OfferFigures | Figures] = Field(description="by product: listed ones, and all that was sold")
    offers: list[OfferFigures] = Field(description="of a seckill, whose items are its offers")
    refunds: Refunds
    limits_left: dict[str, int] | None
    budget_left: int | None
    presale: PresaleFigures | None
    group_buy: GroupFigures | None


class CouponReport(BaseModel):
    """What came of a coupon.

    `claims` shoppers hold it. `uses_reserved` are by orders that are still to be paid, `uses` by paid ones,
    `uses_left` of its total. `codes_used` of the `codes` that were made. Money, of orders that are paid or may
    still be: `discount` is what it took off them, `gmv` what they cost, less what was paid back.
    """

    code: str
    name: str | None
    currency: str
    generated_at: str
    claims: int
    codes: int
    codes_used: int
    uses_reserved: int
    uses: int
    uses_left: int | None
    orders: int
    orders_paid: int
    orders_unpaid: int
    discount: int
    gmv: int
    refunded: int
    new_customers: int
    first_use_at: str | None
    last_use_at: str | None


class DayFigures(BaseModel):
    """Figures of a day's orders, of one flow or of all.

    `gmv` is what those cost that are paid or may still be, less what was paid back of them; `discounts` and
    `coupons` are what came off these. A seckill's price is no discount here.
    """

    orders: int
    orders_paid: int
    orders_unpaid: int
    units: int
    gmv: int
    discounts: int
    coupons: int


class Day(DayFigures):
    """A day in the shop's zone. `refunded` is money that went back on it, for orders of whatever day."""

    day: str
    refunded: int
    states: dict[str, int] = Field(description="how many of the orders are in which state now")
    flows: dict[str, DayFigures] = Field(description="by flow: seckill, cart, presale, group_buy")


class ShopReport(BaseModel):
    """How the shop sells, day by day."""

    currency: str
    generated_at: str
    days: list[Day]


class CourseOrder(BaseModel):
    """One of a campaign's orders."""

    order_no: str
    shopper: str
    at: str


class CoursePoint(BaseModel):
    """Orders that were made from `begins` on, for a minute, an hour or a day.

    `money` is what those cost in the campaign that are paid or may still be; what went back later is not taken off.
    """

    begins: str
    orders: int
    units: int
    money: int


class Course(BaseModel):
    """How a campaign sold from its first order to its last: by minute, hour or day, as long as that took."""

    code: str
    currency: str
    by: Literal["minute", "hour", "day"]
    points: list[CoursePoint] = Field(description="without gaps; of a long campaign the newest")
    first: CourseOrder | None
    last: CourseOrder | None

"""What somebody wants priced: the body of a quote."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from admin.inputs import Code, Input, Sku, refuse
from admin.promotions.model import Channel, StoreId

LINES_MAX = 100
"""Lines of a cart: to explain one takes time by the square of them."""
QUANTITY_MAX = 9_999
UNITS_MAX = 10_000
"""Units on all lines together: each has a price of its own in the reply."""
GIFTS_MAX = 500
ADD_ONS_MAX = 100
CouponCode = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")]


class CartLine(Input):
    """One product. `campaign` absent is the default choice, null is none."""

    sku: Sku
    quantity: int = Field(ge=1, le=QUANTITY_MAX)
    campaign: Code | None = None
    selected: bool = True

    @property
    def pinned(self) -> bool:
        """Whether the shopper chose, none being a choice too."""
        return "campaign" in self.model_fields_set


class CartAddOn(Input):
    """A product added at the price that a campaign offers."""

    campaign: Code
    sku: Sku
    quantity: int = Field(default=1, ge=1, le=QUANTITY_MAX)


class Cart(Input):
    """A cart and what the shopper chose in it."""

    lines: list[CartLine] = Field(max_length=LINES_MAX)
    coupon: CouponCode | None = None
    channel: Channel = "web"
    store: StoreId | None = Field(default=None, description="with channel store: which one")
    gifts: dict[Code, Annotated[list[Sku], Field(max_length=GIFTS_MAX)]] = Field(
        default_factory=dict, max_length=LINES_MAX, description="by campaign; absent: the first, empty: declined"
    )
    add_ons: list[CartAddOn] = Field(default_factory=list, max_length=ADD_ONS_MAX)
    strategy: Literal["priority", "best"] = "priority"
    suggest: bool = False
    explain: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Cart:
        if sum(line.quantity for line in self.lines) > UNITS_MAX:
            raise refuse("too_many_units", f"at most {UNITS_MAX} units in a cart")
        return self

"""Carts as shoppers send and see them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from admin.inputs import UNSET, Code, Input, OperationId, Sku
from admin.promotions.cart import QUANTITY_MAX, Cart, CartLine
from admin.quotes.models import Quote


class LineInput(CartLine):
    """A line to add. What is chosen here replaces what was chosen before; the quantity is added."""


class LineChange(Input):
    """What may be changed about a line."""

    quantity: int = Field(default=UNSET, ge=1, le=QUANTITY_MAX)
    campaign: Code | None = Field(default=None, description="null: none; absent: as it was")
    selected: bool = UNSET
    unpin: bool = Field(default=False, description="back to the default campaign")


class BundleInput(Input):
    """How many sets of a bundle to add."""

    sets: int = Field(default=1, ge=1, le=QUANTITY_MAX)


class MergeInput(Input):
    """The cart of the guest that the shopper was. A merge is done once, however often it is asked for."""

    merge_id: OperationId
    cart: Cart


class KeptLine(BaseModel):
    """A line of a kept cart. `campaign` is there when the shopper chose; null is none."""

    model_config = ConfigDict(extra="forbid")

    sku: Sku
    quantity: int
    campaign: Code | None = None
    selected: bool


class KeptAddOn(BaseModel):
    """A chosen add-on of a kept cart."""

    model_config = ConfigDict(extra="forbid")

    campaign: Code
    sku: Sku
    quantity: int


class KeptCart(BaseModel):
    """A kept cart: what the shopper put in, with the defaults written out."""

    model_config = ConfigDict(extra="forbid")

    lines: list[KeptLine]
    coupon: str | None
    channel: str
    store: str | None
    gifts: dict[str, list[str]]
    add_ons: list[KeptAddOn]
    strategy: str
    suggest: bool
    explain: bool


class CartView(BaseModel):
    """A kept cart and what it costs now. Its revision is 0 until something is put in."""

    model_config = ConfigDict(extra="forbid")

    cart: KeptCart
    revision: int
    quote: Quote


def written_out(body: dict[str, Any]) -> dict[str, Any]:
    """A stored cart with every default, but for campaigns that nobody chose."""
    cart = Cart.model_validate(body)
    shown = cart.model_dump(mode="json")
    for line, given in zip(shown["lines"], cart.lines, strict=True):
        if not given.pinned:
            del line["campaign"]
    return shown

"""What shoppers send to pay a deposit or a balance."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from admin.inputs import PARAGRAPHS, UNSET, Input
from admin.orders.models import Address
from admin.payments.paying import PayInput
from admin.promotions.cart import QUANTITY_MAX, CouponCode
from admin.promotions.model import Channel, StoreId


class DepositInput(Input):
    """So many units of the product in the path, to be paid in two parts."""

    quantity: int = Field(default=1, ge=1, le=QUANTITY_MAX)
    address: Address = UNSET
    note: Annotated[str, Field(min_length=1, max_length=500), PARAGRAPHS] = UNSET
    channel: Channel = "web"
    store: StoreId = UNSET


class BalanceInput(PayInput):
    """How to pay the balance. A coupon is fixed with the first attempt that it is good for."""

    coupon: CouponCode = UNSET

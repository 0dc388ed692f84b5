"""Whether a receipt is genuine, what it says, and what became of the win that it proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Connection, exists, select

from admin.inputs import Input
from admin.orders.models import Status
from admin.resources import Resources
from gateway import keys
from gateway import offers as published
from gateway.errors import ReceiptError
from gateway.orders.database import reading
from gateway.orders.message import tickets_of
from gateway.orders.tables import offers, order_units, orders
from gateway.receipts import RECEIPT_MAX_BYTES


class ReceiptInput(Input):
    """A receipt, as the gateway gave it to the winner."""

    receipt: str = Field(min_length=1, max_length=RECEIPT_MAX_BYTES)


class Said(BaseModel):
    """What a genuine receipt says. `price` is per unit, in minor units."""

    offer: str
    shopper: str
    order_no: str
    units: list[int]
    price: int
    won_at: str
    pay_by: str


class Verdict(BaseModel):
    """Whether a receipt is genuine, and what became of it.

    `outcome` is the order's status; `not_ready` when Redis holds the ticket and the order writer has not got to
    it yet; `lost` when neither has it.
    """

    genuine: bool
    reason: str | None = Field(description="why it is not genuine")
    says: Said | None
    outcome: Status | Literal["not_ready", "lost"] | None
    redeemable: bool = Field(description="lost, and its units are free: they can be had again")


@dataclass(frozen=True, slots=True)
class Won:
    """A genuine receipt."""

    offer: str
    shopper: str
    order_no: str
    units: tuple[int, ...]
    price: int
    pay_by_ms: int
    won_at_ms: int


def read(resources: Resources, receipt: str) -> Won:
    """What a genuine receipt says.

    Raises:
        ReceiptError: it is not one of ours.
    """
    said = resources.receipts.verify(receipt)
    return Won(
        offer=said["offer"],
        shopper=said["shopper"],
        order_no=said["order_no"],
        units=tuple(said["units"]),
        price=said["price"],
        pay_by_ms=said["pay_by_ms"],
        won_at_ms=said["won_at_ms"],
    )


def verify(resources: Resources, given: ReceiptInput) -> Verdict:
    """The verdict on a receipt.

    Raises:
        RedisError: the ledger does not have the order, and Redis cannot be asked.
    """
    try:
        won = read(resources, given.receipt)
    except ReceiptError as error:
        return Verdict(genuine=False, reason=str(error), says=None, outcome=None, redeemable=False)
    outcome, redeemable = _became_of(resources, won)
    said = Said(
        offer=won.offer,
        shopper=won.shopper,
        order_no=won.order_no,
        units=list(won.units),
        price=won.price,
        won_at=resources.iso(won.won_at_ms),
        pay_by=resources.iso(won.pay_by_ms),
    )
    return Verdict(genuine=True, reason=None, says=said, outcome=outcome, redeemable=redeemable)


def _became_of(resources: Resources, won: Won) -> tuple[Any, bool]:
    with reading(resources.engine) as connection:
        status = status_of(connection, won.order_no)
    if status is not None:
        return status, False
    if in_redis(resources, won):
        return "not_ready", False
    with reading(resources.engine) as connection:
        # The order writer may have been at it just now.
        status = status_of(connection, won.order_no)
        if status is not None:
            return status, False
        return "lost", units_free(connection, won.offer, won.units)


def status_of(connection: Connection, order_no: str) -> str | None:
    """The status of an order, if the ledger has it."""
    return connection.execute(select(orders.c.status).where(orders.c.order_no == order_no)).scalar_one_or_none()


def in_redis(resources: Resources, won: Won) -> bool:
    """Whether Redis holds the ticket of a receipt.

    Raises:
        RedisError: Redis cannot be asked.
    """
    offer = published.read(resources.redis, won.offer)
    if offer is None:
        return False
    home = keys.home_bucket(won.shopper.encode(), offer.buckets)
    record: Any = resources.redis.hget(keys.buyers(won.offer, offer.epoch, home), won.shopper)
    return any(each.order_no == won.order_no for each in tickets_of(record))


def units_free(connection: Connection, offer: str, units: Sequence[int]) -> bool:
    """Whether units of an offer exist and nobody holds them, or was paid back for them without their return."""
    unit_cap = connection.execute(select(offers.c.unit_cap).where(offers.c.id == offer)).scalar_one_or_none()
    if unit_cap is None or not units or max(units) > unit_cap:
        return False
    taken = exists().where(order_units.c.offer == offer, order_units.c.unit.in_(units), ~order_units.c.released)
    return not connection.execute(select(taken)).scalar_one()

"""A receipt whose order Redis and the ledger have both lost is good for its units, as long as nobody has them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import orjson
from pydantic import BaseModel
from sqlalchemy import Connection, Row, select, update

from admin.campaigns.tables import campaign_items
from admin.catalog import service as catalog
from admin.errors import Conflict, Invalid, NotFound, Unavailable
from admin.receipts import service
from admin.receipts.service import ReceiptInput, Won
from admin.resources import Resources
from gateway import offers as published
from gateway.errors import ReceiptError
from gateway.orders import holdings
from gateway.orders.database import reading, writing
from gateway.orders.message import Ticket
from gateway.orders.seating import Seating, seat
from gateway.orders.tables import ACTIVE_STATES, offers


class Redeemed(BaseModel):
    """The ticket that the shopper holds (again). `price` is per unit, in minor units."""

    order_no: str
    offer: str
    sku: str
    units: list[int]
    quantity: int
    price: int
    currency: str
    won_at: str
    pay_by: str
    receipt: str


def redeem(resources: Resources, given: ReceiptInput, *, shopper: str) -> Redeemed:
    """Give a shopper the units of their receipt, unless they hold them anyway; may be repeated.

    Raises:
        Invalid: the receipt is not genuine.
        NotFound: it is somebody else's.
        Conflict: the order is over, a unit is somebody else's by now, or the shopper holds as much as allowed.
        Unavailable: the offer is closed for a moment.
        RedisError: Redis cannot be asked.
    """
    try:
        won = service.read(resources, given.receipt)
    except ReceiptError as error:
        raise Invalid.one("receipt", "not_genuine", str(error)) from error
    if won.shopper != shopper:
        raise NotFound("this receipt is not yours")
    with reading(resources.engine) as connection:
        offer = connection.execute(select(offers).where(offers.c.id == won.offer)).one_or_none()
        status = service.status_of(connection, won.order_no)
        held = holdings.tickets(connection, [won.order_no])
    if offer is None:
        raise NotFound("the shop does not have this offer")
    if status is not None and status not in ACTIVE_STATES:
        raise Conflict(f"the order of this receipt is {status}", code="order_over", state=status)
    if status is None and not service.in_redis(resources, won):
        won = _seat(resources, won)
        # Then no gateway repeats a refusal any more that it was given before the shopper had won.
        time.sleep(resources.lease_ms / 1000)
    if status is not None:
        # Some of them may have been paid back and given back since.
        won = replace(won, units=held[won.order_no].ticket.units)
    return _redeemed(resources, won, offer, given.receipt)


def _seat(resources: Resources, won: Won) -> Won:
    # No row is locked while Redis does not even answer.
    resources.redis.ping()
    with writing(resources.engine) as connection:
        item = _lock_item(connection, won.offer)
        if holdings.known(connection, [won.order_no]):
            return won
        _take_back(resources, connection, won, item)
        ticket = Ticket(won.order_no, won.units, (), won.price, won.pay_by_ms, won.won_at_ms, "")
        shopper = won.shopper.encode()
        found = seat(resources.redis, won.offer, item.buckets, item.epoch, shopper, ticket)
        if (
            item.buckets > 1
            and found.outcome in {Seating.TAKEN, Seating.TOO_FEW}
            and service.units_free(connection, won.offer, won.units)
        ):
            # They may have moved to another bucket: then any others will do.
            found = seat(resources.redis, won.offer, item.buckets, item.epoch, shopper, ticket, any_unit=True)
        match found.outcome:
            case Seating.TAKEN | Seating.TOO_FEW:
                raise Conflict(
                    "a unit of this receipt is somebody else's by now: ask the shop, which can give you another",
                    code="unit_taken",
                    units=list(won.units),
                )
            case Seating.OVER_LIMIT:
                raise Conflict("you hold as many units of this offer as one shopper may", code="limit_reached")
            case Seating.CLOSED:
                raise Unavailable("the offer is closed for a moment; nothing has changed")
    return won if found.ticket is None else replace(won, units=found.ticket.units)


def _lock_item(connection: Connection, offer: str) -> Any:
    """The campaign's item, which nobody settles meanwhile, and the offer's epoch and buckets."""
    item = connection.execute(
        select(
            campaign_items.c.campaign,
            campaign_items.c.sku,
            campaign_items.c.returned,
            offers.c.epoch,
            offers.c.buckets,
        )
        .join(offers, (offers.c.campaign == campaign_items.c.campaign) & (offers.c.sku == campaign_items.c.sku))
        .where(offers.c.id == offer)
        .with_for_update(of=campaign_items)
    ).one_or_none()
    if item is None:
        raise NotFound("the shop does not have this offer any more")
    return item


def _take_back(resources: Resources, connection: Connection, won: Won, item: Any) -> None:
    """After the end, units that nobody bought went back to the product: it has to give these up again."""
    found = published.read(resources.redis, won.offer)
    short = item.returned - (found.left - len(won.units)) if found is not None and item.returned else 0
    if short <= 0:
        return
    if catalog.reserve(connection, {item.sku: short}):
        raise Conflict(
            "the sale is over and its last units are sold otherwise: ask the shop",
            code="unit_taken",
            units=list(won.units),
        )
    connection.execute(
        update(campaign_items)
        .where(campaign_items.c.campaign == item.campaign, campaign_items.c.sku == item.sku)
        .values(returned=campaign_items.c.returned - short)
    )


def _redeemed(resources: Resources, won: Won, offer: Row[Any], receipt: str) -> Redeemed:
    return Redeemed(
        order_no=won.order_no,
        offer=won.offer,
        sku=offer.sku,
        units=list(won.units),
        quantity=len(won.units),
        price=won.price,
        currency=str(orjson.loads(offer.card).get("currency") or resources.currency),
        won_at=resources.iso(won.won_at_ms),
        pay_by=resources.iso(won.pay_by_ms),
        receipt=receipt,
    )

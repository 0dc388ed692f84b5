"""Opening a group: the engine prices its first seat, and what it says are the terms of all who join."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, insert

from admin.catalog import service as catalog
from admin.checkout import drafting, ordering
from admin.checkout.keys import Key
from admin.checkout.refusing import Refusal
from admin.errors import Conflict, NotFound
from admin.groups.models import NewGroup
from admin.groups.tables import groups
from admin.orders.placing import NewOrder
from admin.promotions.campaign import Campaign
from admin.promotions.cart import Cart
from admin.promotions.choosing import Judge
from admin.promotions.reasons import reason
from admin.promotions.types import group_buy
from admin.quotes.quoting import Asked, Made
from admin.reservations.ledger import Claim
from admin.resources import Resources
from gateway import tokens
from gateway.orders.database import now_ms

ID_BYTES = 8
"""Enough that nobody guesses a group that was not shared with them."""
FLOW = "group_buy"
_HOUR_MS = 3_600_000


def seat_claims(group: str, size: int, shopper: str) -> list[Claim]:
    """What sitting in a group takes: one of its seats, once per shopper."""
    return [Claim("seat", group, 1, size), Claim("group_shopper", group, 1, 1, shopper)]


def open_group(resources: Resources, given: NewGroup, shopper: tokens.Shopper, key: Key, language: str) -> str:
    """Open a group with its first order, which is still to be paid; the order's number.

    Raises:
        NotFound: there is no such product, or no such group buy that the shopper may know of.
        Conflict: the product cannot be had in this group buy, with the quote that says why.
        Unavailable: the shop changes faster than carts are priced.
        sqlalchemy.exc.IntegrityError: the shopper has used the key before.
    """
    who = shopper.id.decode()
    line = {"sku": given.sku, "quantity": given.quantity, "campaign": given.campaign}
    request: dict[str, Any] = {"lines": [line], "channel": given.channel}
    if given.store is not None:
        request["store"] = given.store
    asked = Asked(cart=Cart.model_validate(request), request=request, language=language, shopper=shopper, owner=who)

    def build(connection: Connection, made: Made) -> NewOrder:
        campaign = _campaign(asked.cart, made, given)
        now = now_ms(connection)
        group = _terms(connection, made, campaign, who, now)
        connection.execute(insert(groups).values(group))
        lines = drafting.lines_of(connection, made)
        return NewOrder(
            flow=FLOW,
            shopper=who,
            currency=resources.currency,
            lines=lines,
            claims=[*drafting.claims_of(made, lines, who), *seat_claims(group["id"], group["size"], who)],
            pay_within_ms=resources.settings.pay_window_ms,
            pay_until_ms=group["deadline_ms"],
            campaign=campaign.code,
            group_id=group["id"],
            channel=given.channel,
            address=None if given.address is None else given.address.model_dump(exclude_none=True),
            note=given.note,
            key=key.key,
            request=key.request,
        )

    try:
        return ordering.order_now(resources, asked, build)
    except Conflict as error:
        if error.members.get("of") == "campaign_shopper":
            raise exhausted("limit_per_shopper", language) from error
        raise


def exhausted(code: str, language: str) -> Conflict:
    """The refusal when a limit of the group buy leaves too little; `code` is that of a reason."""
    why = reason(code, language)
    return Conflict(f"too little of this group buy is left for you: {why}", code="exhausted", reason=why)


def _campaign(cart: Cart, made: Made, given: NewGroup) -> Campaign:
    """The campaign that the line has joined.

    Raises:
        NotFound, Refusal: it has joined another one, or none.
    """
    line = made.result["lines"][0]
    campaign = made.world.index.get(given.campaign)
    if (
        campaign is None
        or campaign.draft
        or campaign.broken is not None
        or campaign.type_name != group_buy.PROMOTION.name
    ):
        raise NotFound(f"there is no group buy {given.campaign}")
    if line["campaign"] == campaign.code:
        return campaign
    closed = Judge(made.world, cart, alone=True).closed(campaign)
    if closed is not None:
        # Quotes do not tell of campaigns that are over or for others; who has the link of one is told.
        state, why = closed.state, reason(closed.reason, made.world.language)
    else:
        told = next(each for each in line["choices"] if each["campaign"] == given.campaign)
        state, why = told["state"], told["reason"]
    raise Refusal(state, f"no group of {given.campaign} can be opened for {given.sku}: {why}", reason=why)


def _terms(connection: Connection, made: Made, campaign: Campaign, leader: str, now: int) -> dict[str, Any]:
    line = made.result["lines"][0]
    rule: group_buy.GroupBuyRule = campaign.rule
    return {
        "id": secrets.token_hex(ID_BYTES),
        "campaign": campaign.code,
        "sku": line["sku"],
        "name": catalog.find(connection, [line["sku"]])[line["sku"]].name,
        "base_price": line["unit_price"],
        "price": line["unit_payables"][0],
        "size": rule.size,
        "limit_per_shopper": rule.limit_per_shopper,
        "virtual_fill": rule.virtual_fill,
        "state": "open",
        "leader": leader,
        "virtual_seats": 0,
        "opened_at_ms": now,
        "deadline_ms": now + rule.hours * _HOUR_MS,
        "closed_at_ms": None,
        "settled": False,
    }

"""Joining a group, on the terms that it was opened with: no price is computed anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row

from admin.catalog import service as catalog
from admin.checkout import gratis
from admin.checkout.keys import Key
from admin.errors import Conflict
from admin.groups import views
from admin.groups.models import Seat
from admin.groups.opening import FLOW, exhausted, seat_claims
from admin.members.facts import facts_of
from admin.orders import placing
from admin.orders.placing import NewLine, NewOrder
from admin.promotions.audience import refuses
from admin.promotions.campaign import Campaign
from admin.promotions.choosing import outside
from admin.promotions.reasons import reason
from admin.quotes.facts import civil
from admin.reservations.ledger import Claim, Short
from admin.resources import Resources
from gateway import tokens
from gateway.orders.database import now_ms, reading, writing


def join(resources: Resources, group: str, given: Seat, shopper: tokens.Shopper, key: Key, language: str) -> str:
    """Take a seat in a group, which is still to be paid; the order's number.

    Raises:
        NotFound: there is no such group.
        Conflict: it is over, no seat is left, the shopper is in it or may not be, or the product has run out.
        sqlalchemy.exc.IntegrityError: the shopper has used the key before.
    """
    who = shopper.id.decode()
    campaign = _admitted(resources, group, given, shopper, language)
    try:
        with writing(resources.engine) as connection:
            row = views.lock(connection, group)
            now = now_ms(connection)
            _require_open(resources, row, now)
            sitting = views.order_in(connection, group, who)
            if sitting is not None:
                raise Conflict(
                    f"you are in this group with order {sitting}", code="already_in_group", order_no=sitting
                )
            if given.quantity > row.limit_per_shopper:
                raise exhausted("limit_per_shopper", language)
            order = _order(resources, connection, row, campaign, given, who, key)
            placing.place(connection, order, now)
            gratis.take(resources, connection, [order], now)
            return order.order_no
    except Short as short:
        raise _refusal(short.claim, group, language) from short


def _admitted(resources: Resources, group: str, given: Seat, shopper: tokens.Shopper, language: str) -> Campaign:
    """The group's campaign as it is published now, if the shopper may be in it.

    Who comes when no seat is left is turned away here, and makes nobody wait.

    Raises:
        NotFound: there is no such group.
        Conflict: it is over or has no seat left, or its campaign is not for this shopper or channel.
    """
    book = resources.books.fresh()
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        row = views.find(connection, group)
        facts = facts_of(connection, shopper, now, resources.zone)
    _require_open(resources, row, now)
    if row.reserved + row.committed >= row.size:
        raise _no_seat(group)
    campaign = book.index.get(row.campaign)
    if campaign is None or campaign.broken is not None:
        raise Conflict("its group buy cannot be read; tell the shop", code="error")
    code = outside(campaign, given.channel, given.store) or refuses(
        campaign.audience, facts, civil(now, resources.zone)
    )
    if code is not None:
        why = reason(code, language)
        raise Conflict(f"you cannot join this group: {why}", code="not_eligible", reason=why)
    return campaign


def _require_open(resources: Resources, row: Row[Any], now: int) -> None:
    if row.state == "full":
        raise Conflict("the group is full: join another one, or open one", code="group_full", state=row.state)
    if row.state != "open" or now >= row.deadline_ms:
        ended_at = resources.iso(row.deadline_ms if row.closed_at_ms is None else row.closed_at_ms)
        raise Conflict(
            f"the group was over at {ended_at}: join another one, or open one", code="group_over", state=row.state
        )


def _no_seat(group: str) -> Conflict:
    return Conflict(
        "every seat is taken; one is free again if somebody does not pay", code="no_seat_left", group=group
    )


def _order(
    resources: Resources, connection: Connection, row: Row[Any], campaign: Campaign, given: Seat, who: str, key: Key
) -> NewOrder:
    product = catalog.find(connection, [row.sku]).get(row.sku)
    if product is None or not product.on_sale:
        raise Conflict(f"{row.sku} is not on sale now", code="not_available")
    off = (row.base_price - row.price) * given.quantity
    line = NewLine(
        kind="goods",
        sku=row.sku,
        name=row.name,
        quantity=given.quantity,
        base_price=row.base_price,
        unit_price=row.base_price,
        unit_payables=[row.price] * given.quantity,
        campaign=row.campaign,
        discount=off,
        membership=product.membership,
    )
    return NewOrder(
        flow=FLOW,
        shopper=who,
        currency=resources.currency,
        lines=[line],
        claims=[
            *seat_claims(row.id, row.size, who),
            Claim("campaign_shopper", row.campaign, given.quantity, row.limit_per_shopper, who),
            *_limits(campaign, off),
            Claim("stock", row.sku, given.quantity),
        ],
        pay_within_ms=resources.settings.pay_window_ms,
        pay_until_ms=row.deadline_ms,
        campaign=row.campaign,
        group_id=row.id,
        channel=given.channel,
        address=None if given.address is None else given.address.model_dump(exclude_none=True),
        note=given.note,
        key=key.key,
        request=key.request,
    )


def _limits(campaign: Campaign, off: int) -> Iterator[Claim]:
    """What the campaign's limits are by now: they may have been raised."""
    limits = campaign.limits
    if limits is not None and limits.total is not None:
        yield Claim("campaign", campaign.code, 1, limits.total)
    if limits is not None and limits.budget is not None:
        yield Claim("budget", campaign.code, off, limits.budget)


def _refusal(claim: Claim, group: str, language: str) -> Conflict:
    match claim.kind:
        case "seat" | "group_shopper":
            return _no_seat(group)
        case "campaign_shopper":
            return exhausted("limit_per_shopper", language)
        case "stock":
            return Conflict(f"too little is left of {claim.subject}", code="not_available")
        case _:
            return exhausted("used_up", language)

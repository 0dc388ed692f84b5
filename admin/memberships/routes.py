"""Memberships over HTTP."""

from __future__ import annotations

from sqlalchemy import select

from admin.members.facts import facts_of
from admin.members.models import PaidUntil
from admin.members.tables import members
from admin.memberships.holding import held
from admin.memberships.models import MyMembership
from admin.routing import Call, Endpoint
from gateway.orders.database import now_ms, reading


def _mine(call: Call) -> MyMembership:
    assert call.signed_in is not None
    paid = select(members.c.paid_level, members.c.paid_until_ms).where(members.c.shopper == call.shopper)
    with reading(call.resources.engine) as connection:
        now = now_ms(connection)
        level = facts_of(connection, call.signed_in, now, call.resources.zone).level
        bought = held(connection, [call.shopper], now).get(call.shopper, [])
        record = connection.execute(paid.where(members.c.paid_until_ms > now)).one_or_none()
    ends = [each.until_ms for each in bought if each.level == level]
    if record is not None and record.paid_level == level:
        ends.append(record.paid_until_ms)
    return MyMembership(
        level=level,
        until=call.resources.iso_or_none(max(ends, default=None)),
        bought=[PaidUntil(level=each.level, until=call.resources.iso(each.until_ms)) for each in bought],
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/membership",
        "read_my_membership",
        "The shopper's level now, and the memberships that they bought",
        _mine,
        MyMembership,
        caller="shopper",
    ),
)

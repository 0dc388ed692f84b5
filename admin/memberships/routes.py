"""Memberships over HTTP."""

from __future__ import annotations

from sqlalchemy import select, tuple_

from admin.members.facts import facts_of
from admin.members.models import PaidUntil
from admin.members.tables import members
from admin.memberships.holding import held
from admin.memberships.models import Grant, GrantFilter, GrantPage, MyMembership
from admin.memberships.tables import membership_grants
from admin.paging import read_cursor, split, write_cursor
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


def _list(call: Call) -> GrantPage:
    wanted, table, resources = call.query(GrantFilter), membership_grants.c, call.resources
    key = table.ends_at_ms, table.order_no, table.line
    position = read_cursor(wanted.cursor, int, str, int)
    statement = select(membership_grants).order_by(*(each.desc() for each in key)).limit(wanted.limit + 1)
    if wanted.shopper is not None:
        statement = statement.where(table.shopper == wanted.shopper)
    if position is not None:
        statement = statement.where(tuple_(*key) < tuple_(*position))
    with reading(resources.engine) as connection:
        rows, last = split(connection.execute(statement).all(), wanted.limit)
    items = [
        Grant(
            order_no=row.order_no,
            line=row.line,
            shopper=row.shopper,
            level=row.level,
            days=row.days,
            units=row.units,
            starts_at=resources.iso(row.starts_at_ms),
            ends_at=resources.iso(row.ends_at_ms),
            revoked=row.revoked,
        )
        for row in rows
    ]
    following = None if last is None else write_cursor(last.ends_at_ms, last.order_no, last.line)
    return GrantPage(items=items, next=following)


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
    Endpoint(
        "GET",
        "/admin/api/memberships",
        "list_memberships",
        "Memberships that were bought, those that end last first",
        _list,
        GrantPage,
        query=GrantFilter,
    ),
)

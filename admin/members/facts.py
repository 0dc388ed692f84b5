"""What is known of a shopper when a price is asked: from their record if there is one, else from their token."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, BindParameter, Connection, Row, bindparam, exists, literal, select

from admin.instants import INSTANT_MAX_MS
from admin.members.tables import members
from admin.memberships.holding import bought_level
from admin.promotions.audience import Shopper
from gateway import tokens
from gateway.orders.tables import orders

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUB: BindParameter[str] = bindparam("sub")
_NOW: BindParameter[int] = bindparam("now_ms", type_=BigInteger)
_HAS_PAID = exists().where(orders.c.shopper == _SUB, orders.c.paid_at_ms.is_not(None))
_ASKED = select(literal(1).label("one")).subquery()
# One row always, since it is read for every quote: the record's columns are null where there is none.
_FACTS = select(members, _HAS_PAID.label("has_paid"), bought_level(_SUB, _NOW).label("bought_level")).select_from(
    _ASKED.outerjoin(members, members.c.shopper == _SUB)
)


def facts_of(connection: Connection, shopper: tokens.Shopper | str, now_ms: int, zone: ZoneInfo) -> Shopper:
    """The facts of a shopper at an instant, who has signed in or whom an operator names by id.

    With a record every fact is the record's: what is missing there is not known. `since` is a civil date in
    `zone`. A new customer has never paid an order here, nor, as their record says, anywhere before. A membership
    that they have bought sets their level with a record and without one, until it ends.
    """
    claims = None if isinstance(shopper, str) else shopper
    sub = shopper if isinstance(shopper, str) else shopper.id.decode()
    row = connection.execute(_FACTS, {"sub": sub, "now_ms": now_ms}).one()
    if row.shopper is not None:
        return _of_record(row, now_ms, zone)
    since_s = None if claims is None else claims.since_s
    return Shopper(
        sub=sub,
        level=row.bought_level or (0 if claims is None else claims.level),
        since=None if since_s is None else _civil(since_s * 1000, zone),
        birthday=None if claims is None else claims.birthday,
        new_customer=not row.has_paid,
    )


def effective_level(row: Row[Any], bought_level: int | None, now_ms: int) -> int:
    """The level of a record at an instant: a paid membership sets it until its end, and of several the highest.

    `bought_level` is that of memberships that were bought here, if there are any at that instant.
    """
    paid = row.paid_until_ms is not None and row.paid_until_ms > now_ms
    if not paid:
        return int(row.level) if bought_level is None else bought_level
    return int(row.paid_level) if bought_level is None else max(row.paid_level, bought_level)


def _of_record(row: Row[Any], now_ms: int, zone: ZoneInfo) -> Shopper:
    return Shopper(
        sub=row.shopper,
        member=True,
        level=effective_level(row, row.bought_level, now_ms),
        since=None if row.since_ms is None else _civil(row.since_ms, zone),
        birthday=row.birthday,
        new_customer=row.first_paid_at_ms is None and not row.has_paid,
    )


def _civil(instant_ms: int, zone: ZoneInfo) -> date:
    # A token may name any second up to the year 9999, which some zones would carry beyond what dates can be.
    known_ms = min(instant_ms, INSTANT_MAX_MS)
    return (_EPOCH + timedelta(milliseconds=known_ms)).astimezone(zone).date()

"""Coupons as one shopper has them: those they hold, and those that they may claim.

Claimable is what must be claimed (`claim_required`) and has no codes of its own: other coupons are for whoever was
told their code, and no list gives it away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, literal, null, or_, select, tuple_

from admin.coupons.models import MyCoupon, MyCouponPage
from admin.coupons.rows import fields_of
from admin.coupons.standing import Standing, Uses, standing
from admin.coupons.tables import coupon_batches, coupon_claims, coupons
from admin.members.facts import facts_of
from admin.paging import Page, read_cursor, split, write_cursor
from admin.promotions.audience import GUEST, Shopper
from admin.promotions.reasons import reason
from admin.quotes.facts import civil
from admin.reservations import ledger
from admin.reservations.kinds import Kind
from admin.resources import Resources
from gateway import tokens
from gateway.orders.database import now_ms, reading

HAS_CODES = exists().where(coupon_batches.c.coupon == coupons.c.code)
"""The condition that a coupon is given out by codes that work once."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose coupons are shown, when, and in which language."""

    shopper: Shopper
    now_ms: int
    language: str


def reader(resources: Resources, connection: Connection, signed_in: tokens.Shopper | None, language: str) -> Reader:
    """A shopper, or without a token a guest, with what is known of them now."""
    now = now_ms(connection)
    shopper = GUEST if signed_in is None else facts_of(connection, signed_in, now, resources.zone)
    return Reader(shopper, now, language)


def page(resources: Resources, signed_in: tokens.Shopper | None, wanted: Page, language: str) -> MyCouponPage:
    """A page of what a shopper holds or may claim, those that last longest first.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    order = coupons.c.ends_at_ms, coupons.c.code
    position = read_cursor(wanted.cursor, int, str)
    with reading(resources.engine) as connection:
        who = reader(resources, connection, signed_in, language)
        statement = of_shopper(who.shopper.sub)
        shown = coupon_claims.c.shopper.is_not(None) if who.shopper.sub is not None else literal(value=False)
        statement = statement.where(or_(shown, _claimable(who.now_ms)))
        if position is not None:
            statement = statement.where(tuple_(*order) < tuple_(*(literal(part) for part in position)))
        statement = statement.order_by(*(each.desc() for each in order)).limit(wanted.limit + 1)
        rows, last = split(connection.execute(statement).all(), wanted.limit)
        items = [
            view(resources, row, stands, language) for row, stands in standings(resources, connection, rows, who)
        ]
    return MyCouponPage(items=items, next=None if last is None else write_cursor(last.ends_at_ms, last.code))


def of_shopper(shopper: str | None) -> Select[Any]:
    """Coupons with a shopper's claim, if they have one: `claimed_at_ms`, and the code they `hold`."""
    if shopper is None:
        return select(coupons, null().label("claimed_at_ms"), null().label("held_code"))
    mine = and_(coupon_claims.c.coupon == coupons.c.code, coupon_claims.c.shopper == shopper)
    return select(coupons, coupon_claims.c.claimed_at_ms, coupon_claims.c.code.label("held_code")).select_from(
        coupons.outerjoin(coupon_claims, mine)
    )


def _claimable(now: int) -> ColumnElement[bool]:
    return and_(
        coupons.c.terms["claim_required"].as_boolean(),
        coupons.c.ended_at_ms.is_(None),
        coupons.c.ends_at_ms > now,
        ~HAS_CODES,
    )


def standings(
    resources: Resources, connection: Connection, rows: Sequence[Row[Any]], who: Reader
) -> Iterator[tuple[Row[Any], Standing]]:
    """How each of some rows of `of_shopper` stands."""
    used = ledger.used(connection, [thing for row in rows for thing in _things(row, who.shopper.sub)])
    today = civil(who.now_ms, resources.zone)
    for row in rows:
        uses = Uses(
            in_all=used.get(("coupon", row.code, ""), 0),
            own=used.get(("coupon_shopper", row.code, who.shopper.sub or ""), 0),
            of_code=used.get(("coupon_code", row.held_code or "", ""), 0),
            claims=row.claimed,
        )
        yield (
            row,
            standing(
                fields_of(row),
                uses,
                who.shopper,
                today,
                who.now_ms,
                ended=row.ended_at_ms is not None,
                held=row.claimed_at_ms is not None,
                by_code=row.held_code is not None,
            ),
        )


def _things(row: Row[Any], shopper: str | None) -> Iterator[tuple[Kind, str, str]]:
    yield "coupon", row.code, ""
    if shopper is not None:
        yield "coupon_shopper", row.code, shopper
    if row.held_code is not None:
        yield "coupon_code", row.held_code, ""


def view(resources: Resources, row: Row[Any], stands: Standing, language: str) -> MyCoupon:
    """A row of `of_shopper` as its shopper sees it."""
    terms = {name: value for name, value in row.terms.items() if name in MyCoupon.model_fields}
    return MyCoupon(
        **terms,
        code=row.held_code or row.code,
        coupon=row.code,
        state=stands.state,
        reason=None if stands.reason is None else reason(stands.reason, language),
        uses_left=stands.uses_left,
        claims_left=stands.claims_left,
        claimed_at=resources.iso_or_none(row.claimed_at_ms),
        starts_at=resources.iso(row.starts_at_ms),
        ends_at=resources.iso(row.ends_at_ms),
    )

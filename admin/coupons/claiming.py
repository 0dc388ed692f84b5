"""Claiming a coupon: once per shopper, and no more shoppers than it may be used by in all.

`coupons.claimed` counts the claims. The statement that counts one decides whether there is one left, in the
transaction that writes the claim, so no two shoppers ever get the last one; `miscounted` holds the count against
the claims. Everything is judged before that, without a lock: those who are refused make nobody wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, text, update

from admin.coupons import mine
from admin.coupons.models import MyCoupon
from admin.coupons.standing import Standing
from admin.coupons.tables import coupon_claims, coupon_codes, coupons
from admin.errors import Conflict, NotFound
from admin.promotions.reasons import reason
from admin.reservations import ledger
from admin.resources import Resources
from gateway import tokens
from gateway.orders.database import now_ms, reading, writing

# The same words in both databases: a claim that is there already stays.
_CLAIM = text("""
    INSERT INTO coupon_claims (coupon, shopper, code, claimed_at_ms) VALUES (:coupon, :shopper, :code, :at_ms)
    ON CONFLICT (coupon, shopper) DO NOTHING
""")


def claim(resources: Resources, signed_in: tokens.Shopper, code: str, language: str) -> tuple[MyCoupon, bool]:
    """Claim a coupon, by its own code or by one of its codes that work once; whether it is new to the shopper.

    One that has not begun may be claimed too. Who holds the coupon already keeps what they hold.

    Raises:
        NotFound: there is no such code.
        Conflict: `not_running`, `not_eligible`, `exhausted`, `code_needed` or `taken`.
    """
    with reading(resources.engine) as connection:
        who = mine.reader(resources, connection, signed_in, language)
        assert who.shopper.sub is not None
        row, single = _find(connection, code, who.shopper.sub)
        ((_, stands),) = mine.standings(resources, connection, [row], who)
        held = row.claimed_at_ms is not None
        if not held:
            _require_claimable(stands, row.code, language)
            _require_code(connection, row, single, who.shopper.sub)
    new = not held and _store(resources, row.code, who.shopper.sub, None if single is None else single.code)
    with reading(resources.engine) as connection:
        row = _of(connection, row.code, who.shopper.sub)
        ((_, stands),) = mine.standings(resources, connection, [row], who)
    return mine.view(resources, row, stands, language), new


def _find(connection: Connection, code: str, shopper: str) -> tuple[Row[Any], Row[Any] | None]:
    """The coupon of a code with the shopper's claim, and the row of the code if it is one of many."""
    single = None
    row = connection.execute(mine.of_shopper(shopper).where(coupons.c.code == code)).one_or_none()
    if row is None:
        single = connection.execute(select(coupon_codes).where(coupon_codes.c.code == code)).one_or_none()
        if single is None:
            raise NotFound(f"there is no coupon {code}: look at upper and lower case")
        row = _of(connection, single.coupon, shopper)
    return row, single


def _of(connection: Connection, coupon: str, shopper: str) -> Row[Any]:
    row = connection.execute(mine.of_shopper(shopper).where(coupons.c.code == coupon)).one_or_none()
    if row is None:
        raise NotFound(f"there is no coupon {coupon}")
    return row


def _require_claimable(stands: Standing, coupon: str, language: str) -> None:
    if stands.state == "ended":
        raise Conflict(f"{coupon} is over", code="not_running")
    if stands.state == "not_eligible":
        assert stands.reason is not None
        raise Conflict(f"{coupon} is for others", code="not_eligible", reason=reason(stands.reason, language))
    if stands.state in {"exhausted", "used"}:
        raise _exhausted(coupon)


def _require_code(connection: Connection, row: Row[Any], single: Row[Any] | None, shopper: str) -> None:
    if single is None:
        if connection.execute(select(mine.HAS_CODES).where(coupons.c.code == row.code)).scalar_one():
            raise Conflict(f"{row.code} is claimed with a code of your own: enter that", code="code_needed")
        return
    used = ledger.used(connection, [("coupon_code", single.code, "")])
    if used or single.shopper not in {None, shopper}:
        raise _taken(single.code)


def _store(resources: Resources, coupon: str, shopper: str, code: str | None) -> bool:
    """Write a claim; False if the same shopper was quicker than themselves."""
    with writing(resources.engine) as connection:
        now = now_ms(connection)
        values = {"coupon": coupon, "shopper": shopper, "code": code, "at_ms": now}
        if not connection.execute(_CLAIM, values).rowcount:
            return False
        if code is not None and not _bind(connection, code, shopper):
            raise _taken(code)
        total = coupons.c.terms["total"].as_integer()
        counted = connection.execute(
            update(coupons)
            .where(coupons.c.code == coupon, or_(total.is_(None), coupons.c.claimed < total))
            .values(claimed=coupons.c.claimed + 1)
        )
        if not counted.rowcount:
            raise _exhausted(coupon)
    return True


def _bind(connection: Connection, code: str, shopper: str) -> bool:
    bound = coupon_codes.c.shopper
    mine_now = (
        update(coupon_codes)
        .where(coupon_codes.c.code == code, or_(bound.is_(None), bound == shopper))
        .values(shopper=shopper)
    )
    return bool(connection.execute(mine_now).rowcount)


def _exhausted(coupon: str) -> Conflict:
    return Conflict(f"nothing is left of {coupon}", code="exhausted")


def _taken(code: str) -> Conflict:
    return Conflict(f"{code} was used, or belongs to somebody else", code="taken")


def miscounted(connection: Connection) -> Sequence[Row[Any]]:
    """Coupons whose count is not the number of their claims: `code`, `claimed`, `claims`. There should be none."""
    claims = func.count(coupon_claims.c.shopper)
    return connection.execute(
        select(coupons.c.code, coupons.c.claimed, claims.label("claims"))
        .select_from(coupons.outerjoin(coupon_claims, coupon_claims.c.coupon == coupons.c.code))
        .group_by(coupons.c.code, coupons.c.claimed)
        .having(claims != coupons.c.claimed)
        .order_by(coupons.c.code)
    ).all()

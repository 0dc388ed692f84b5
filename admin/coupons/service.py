"""Coupons: make, read, change, end, delete. Each change is one transaction with its number and audit record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from admin.audit import service as audit
from admin.catalog import service as catalog
from admin.catalog.tables import categories
from admin.changes import note
from admin.coupons.models import Coupon, CouponFilter, CouponPage, CouponUse
from admin.coupons.rows import fields_of
from admin.coupons.states import check_change, in_state, require, state_of
from admin.coupons.tables import coupon_batches, coupon_claims, coupon_codes, coupons
from admin.errors import FieldError, Invalid
from admin.inputs import examine
from admin.promotions.coupon import CouponChange, CouponFields, NewCoupon, guard_coupon
from admin.records import Records, containing
from admin.reservations.tables import tallies
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

_COUPONS = Records("coupon", coupons, key="code", order=("created_at_ms", "code"), newest_first=True)

_WINDOW = ("starts_at", "ends_at")
"""Fields with a column of their own; the others are kept together as `terms`."""


def create(resources: Resources, body: object, *, actor: str) -> Coupon:
    """Make a coupon.

    Raises:
        Invalid: with every problem of the input and every broken guard.
        Conflict: the code is taken.
    """
    given, problems = examine(NewCoupon, body)
    errors = [error for _, error in problems]
    # Where a required field is wrong, the rest is judged all the same, so that all problems are told together.
    judged = given or examine(CouponChange, _without_code(body))[0]
    with writing(resources.engine) as connection:
        if judged is not None:
            errors += _guard(connection, judged, now_ms(connection))
        if given is None or errors:
            raise Invalid(_told_once(errors))
        row = _COUPONS.insert(connection, {"code": given.code, **_columns(given)})
        return _record(resources, connection, actor, "create", row)


def read(resources: Resources, code: str) -> Coupon:
    """One coupon.

    Raises:
        NotFound: there is none with this code.
    """
    with reading(resources.engine) as connection:
        return _show(resources, connection, now_ms(connection), _COUPONS.find(connection, code))


def page(resources: Resources, wanted: CouponFilter) -> CouponPage:
    """A page of coupons.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    terms = coupons.c.terms
    conditions = []
    if wanted.q is not None:
        conditions.append(containing(wanted.q, coupons.c.code, terms["name"].as_string()))
    if wanted.kind is not None:
        conditions.append(terms["kind"].as_string() == wanted.kind)
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        if wanted.state is not None:
            conditions.append(in_state(wanted.state, now))
        rows, following, total = _COUPONS.page(connection, wanted, *conditions)
        uses = _uses(connection, rows)
    items = [_view(resources, now, row, uses[row.code]) for row in rows]
    return CouponPage(items=items, next=following, total=total)


def change(resources: Resources, code: str, body: object, *, actor: str, if_match: int | None = None) -> Coupon:
    """Change some fields: all before the start; the name, a later end and higher limits while it runs.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem. Conflict: naming the state and the field.
    """
    given, problems = examine(CouponChange, body)
    errors = [error for _, error in problems]
    with writing(resources.engine) as connection:
        row = _COUPONS.lock(connection, code, if_match)
        now = now_ms(connection)
        state = state_of(row, now)
        if given is None:
            raise Invalid(errors)
        before = fields_of(row)
        after = before.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})
        if state == "not_started":
            errors += _guard(connection, after, now, before)
        if errors:
            raise Invalid(_told_once(errors))
        check_change(state, before, after, now)
        shown = _show(resources, connection, now, row)
        if after == before:
            return shown
        changed = _COUPONS.update(connection, row, _columns(after))
        return _record(resources, connection, actor, "change", changed, shown)


def end(resources: Resources, code: str, *, actor: str, if_match: int | None = None) -> Coupon:
    """End a coupon before its window is over: from now on it applies to no quote.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: it is over already.
    """
    with writing(resources.engine) as connection:
        row = _COUPONS.lock(connection, code, if_match)
        now = now_ms(connection)
        require(state_of(row, now), ("not_started", "running"), "be ended")
        ended = _COUPONS.update(connection, row, {"ended_at_ms": now})
        return _record(resources, connection, actor, "end", ended, _show(resources, connection, now, row))


def remove(resources: Resources, code: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a coupon that has not started, so that nobody can have used it; its claims and codes go, too.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: it has started; it can only be ended.
    """
    with writing(resources.engine) as connection:
        row = _COUPONS.lock(connection, code, if_match)
        now = now_ms(connection)
        require(state_of(row, now), ("not_started",), "be deleted: only one that has not started can")
        _COUPONS.remove(connection, row, partial(_show, resources, connection, now), actor=actor)
        # Batches first: whoever makes codes holds the batch, and finds none any more.
        for table in (coupon_batches, coupon_codes, coupon_claims):
            connection.execute(delete(table).where(table.c.coupon == code))
        note(connection, "coupon", code, None)


def _without_code(body: object) -> object:
    return {name: value for name, value in body.items() if name != "code"} if isinstance(body, dict) else body


def _guard(
    connection: Connection, fields: CouponFields, now: int, before: CouponFields | None = None
) -> list[FieldError]:
    """Broken guards. Products and categories that a coupon had before may be gone by now."""
    known = set(catalog.find(connection, fields.items)) | set(before.items if before else ())
    wanted = select(categories.c.id).where(categories.c.id.in_(fields.categories))
    there = set(connection.execute(wanted).scalars()) | set(before.categories if before else ())
    return guard_coupon(fields, now_ms=now, products=known, categories=there)


def _told_once(errors: list[FieldError]) -> list[FieldError]:
    """Without the complaint that a field is missing when it is there and wrong."""
    wrong = {error.field for error in errors if error.code != "missing"}
    return [error for error in errors if error.code != "missing" or error.field not in wrong]


def _record(
    resources: Resources,
    connection: Connection,
    actor: str,
    action: str,
    row: Row[Any],
    before: Coupon | None = None,
) -> Coupon:
    """Give a change its number and its audit record; the coupon as it is now is returned."""
    body = {
        **row.terms,
        "starts_at": row.starts_at_ms,
        "ends_at": row.ends_at_ms,
        "ended_at": row.ended_at_ms,
        "revision": row.revision,
    }
    note(connection, "coupon", row.code, body)
    after = _show(resources, connection, now_ms(connection), row)
    audit.record(
        connection,
        actor,
        action,
        "coupon",
        row.code,
        before=None if before is None else before.model_dump(),
        after=after.model_dump(),
    )
    return after


def _columns(fields: CouponFields) -> dict[str, Any]:
    names = set(CouponFields.model_fields) - {*_WINDOW}
    terms = fields.model_dump(mode="json", include=names)
    terms["audience"] = fields.audience.as_json()
    return {"starts_at_ms": fields.starts_at, "ends_at_ms": fields.ends_at, "terms": terms}


def _uses(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, CouponUse]:
    """How much some coupons are used, each by its code."""
    codes = [row.code for row in rows]
    counted = connection.execute(
        select(tallies).where(tallies.c.kind == "coupon", tallies.c.subject.in_(codes), tallies.c.owner == "")
    )
    orders = {row.subject: (row.reserved, row.committed) for row in counted}
    made = connection.execute(
        select(coupon_batches.c.coupon, func.sum(coupon_batches.c.made).label("codes"))
        .where(coupon_batches.c.coupon.in_(codes))
        .group_by(coupon_batches.c.coupon)
    )
    batches = {row.coupon: int(row.codes) for row in made}
    uses = {}
    for row in rows:
        reserved, committed = orders.get(row.code, (0, 0))
        uses[row.code] = CouponUse(
            reserved=reserved, committed=committed, claims=row.claimed, codes=batches.get(row.code, 0)
        )
    return uses


def _show(resources: Resources, connection: Connection, now: int, row: Row[Any]) -> Coupon:
    return _view(resources, now, row, _uses(connection, [row])[row.code])


def _view(resources: Resources, now: int, row: Row[Any], use: CouponUse) -> Coupon:
    return Coupon(
        **row.terms,
        code=row.code,
        state=state_of(row, now),
        starts_at=resources.iso(row.starts_at_ms),
        ends_at=resources.iso(row.ends_at_ms),
        ended_at=resources.iso_or_none(row.ended_at_ms),
        use=use,
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )

"""Coupons: make, read, change, end, delete. Each change is one transaction with its number and audit record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from admin.audit import service as audit
from admin.catalog import service as catalog
from admin.catalog.tables import categories
from admin.changes import note
from admin.coupons.models import Coupon, CouponFilter, CouponPage
from admin.coupons.states import check_change, in_state, require, state_of
from admin.coupons.tables import coupons
from admin.errors import Conflict, FieldError, Invalid, NotFound, StaleRevision
from admin.inputs import examine
from admin.paging import read_cursor, split, write_cursor
from admin.promotions.coupon import CouponChange, CouponFields, NewCoupon, guard_coupon
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

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
    try:
        with writing(resources.engine) as connection:
            now = now_ms(connection)
            if judged is not None:
                errors += _guard(connection, judged, now)
            if given is None or errors:
                raise Invalid(_told_once(errors))
            connection.execute(
                insert(coupons).values(
                    code=given.code, revision=1, created_at_ms=now, updated_at_ms=now, **_columns(given)
                )
            )
            coupon = _record(resources, connection, actor, "create", given.code, None)
    except IntegrityError as error:
        raise Conflict(f"there is already a coupon {given.code}", code="code_taken", field="code") from error  # type: ignore[union-attr]
    return coupon


def read(resources: Resources, code: str) -> Coupon:
    """One coupon.

    Raises:
        NotFound: there is none with this code.
    """
    with reading(resources.engine) as connection:
        return _view(resources, _row(connection, code), now_ms(connection))


def page(resources: Resources, wanted: CouponFilter) -> CouponPage:
    """A page of coupons, newest first.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int, str)
    table = coupons.c
    statement = select(coupons).order_by(table.created_at_ms.desc(), table.code.desc()).limit(wanted.limit + 1)
    if position is not None:
        at, code = position
        statement = statement.where(
            or_(table.created_at_ms < at, and_(table.created_at_ms == at, table.code < code))
        )
    if wanted.q is not None:
        searched = (table.code, table.terms["name"].as_string())
        statement = statement.where(or_(*(each.icontains(wanted.q, autoescape=True) for each in searched)))
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        if wanted.state is not None:
            statement = statement.where(in_state(wanted.state, now))
        rows = connection.execute(statement).all()
    shown, last = split(rows, wanted.limit)
    return CouponPage(
        items=[_view(resources, row, now) for row in shown],
        next=write_cursor(last.created_at_ms, last.code) if last is not None else None,
    )


def change(resources: Resources, code: str, body: object, *, actor: str, if_match: int | None = None) -> Coupon:
    """Change some fields: all before the start; the name, a later end and higher limits while it runs.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem. Conflict: naming the state and the field.
    """
    given, problems = examine(CouponChange, body)
    errors = [error for _, error in problems]
    with writing(resources.engine) as connection:
        row = _row(connection, code, lock=True)
        _check_revision(row, if_match)
        now = now_ms(connection)
        state = state_of(row, now)
        if given is None:
            raise Invalid(errors)
        before = _fields(row)
        after = before.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})
        if state == "not_started":
            errors += _guard(connection, after, now, before)
        if errors:
            raise Invalid(_told_once(errors))
        check_change(state, before, after, now)
        if after == before:
            return _view(resources, row, now)
        shown = _view(resources, row, now)
        _store(connection, code, now, **_columns(after))
        return _record(resources, connection, actor, "change", code, shown)


def end(resources: Resources, code: str, *, actor: str, if_match: int | None = None) -> Coupon:
    """End a coupon before its window is over: from now on it applies to no quote.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: it is over already.
    """
    with writing(resources.engine) as connection:
        row = _row(connection, code, lock=True)
        _check_revision(row, if_match)
        now = now_ms(connection)
        require(state_of(row, now), ("not_started", "running"), "be ended")
        before = _view(resources, row, now)
        _store(connection, code, now, ended_at_ms=now)
        return _record(resources, connection, actor, "end", code, before)


def remove(resources: Resources, code: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a coupon that has not started, so that nobody can have used it.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: it has started; it can only be ended.
    """
    with writing(resources.engine) as connection:
        row = _row(connection, code, lock=True)
        _check_revision(row, if_match)
        now = now_ms(connection)
        require(state_of(row, now), ("not_started",), "be deleted: only one that has not started can")
        before = _view(resources, row, now).model_dump()
        connection.execute(delete(coupons).where(coupons.c.code == code))
        note(connection, "coupon", code, None)
        audit.record(connection, actor, "delete", "coupon", code, before=before)


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


def _store(connection: Connection, code: str, now: int, **values: Any) -> None:
    connection.execute(
        update(coupons)
        .where(coupons.c.code == code)
        .values(revision=coupons.c.revision + 1, updated_at_ms=now, **values)
    )


def _record(
    resources: Resources, connection: Connection, actor: str, action: str, code: str, before: Coupon | None
) -> Coupon:
    """Give a change its number and its audit record; the coupon as it is now is returned."""
    row = _row(connection, code)
    body = {
        **row.terms,
        "starts_at": row.starts_at_ms,
        "ends_at": row.ends_at_ms,
        "ended_at": row.ended_at_ms,
        "revision": row.revision,
    }
    note(connection, "coupon", code, body)
    after = _view(resources, row, now_ms(connection))
    audit.record(
        connection,
        actor,
        action,
        "coupon",
        code,
        before=None if before is None else before.model_dump(),
        after=after.model_dump(),
    )
    return after


def _columns(fields: CouponFields) -> dict[str, Any]:
    names = set(CouponFields.model_fields) - {*_WINDOW}
    terms = fields.model_dump(mode="json", include=names)
    terms["audience"] = fields.audience.as_json()
    return {"starts_at_ms": fields.starts_at, "ends_at_ms": fields.ends_at, "terms": terms}


def _fields(row: Row[Any]) -> CouponFields:
    return CouponFields.model_validate({**row.terms, "starts_at": row.starts_at_ms, "ends_at": row.ends_at_ms})


def _row(connection: Connection, code: str, *, lock: bool = False) -> Row[Any]:
    statement = select(coupons).where(coupons.c.code == code)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound(f"there is no coupon {code}")
    return row


def _check_revision(row: Row[Any], if_match: int | None) -> None:
    if if_match is not None and if_match != row.revision:
        raise StaleRevision(f"{row.code} is at revision {row.revision}", revision=row.revision)


def _view(resources: Resources, row: Row[Any], now: int) -> Coupon:
    return Coupon(
        **row.terms,
        code=row.code,
        state=state_of(row, now),
        starts_at=resources.iso(row.starts_at_ms),
        ends_at=resources.iso(row.ends_at_ms),
        ended_at=resources.iso_or_none(row.ended_at_ms),
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )

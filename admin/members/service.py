"""Members: make, read, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, case, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from admin.audit import service as audit
from admin.errors import Conflict, NotFound, StaleRevision
from admin.inputs import check
from admin.members.facts import effective_level
from admin.members.models import Member, MemberChange, MemberFilter, MemberInput, MemberPage, PaidUntil
from admin.members.tables import members
from admin.paging import read_cursor, split, write_cursor
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing


def create(resources: Resources, body: object, *, actor: str) -> Member:
    """Make a member.

    Raises:
        Invalid: with every problem of the input.
        Conflict: the shopper is a member already.
    """
    given = check(MemberInput, body)
    try:
        with writing(resources.engine) as connection:
            now = now_ms(connection)
            stamps = {"revision": 1, "created_at_ms": now, "updated_at_ms": now}
            connection.execute(insert(members).values(**columns(given.model_dump()), **stamps))
            member = _view(resources, _row(connection, given.shopper), now)
            audit.record(connection, actor, "create", "member", given.shopper, after=member.model_dump())
    except IntegrityError as error:
        raise Conflict(f"{given.shopper} is a member already", code="shopper_taken", field="shopper") from error
    return member


def read(resources: Resources, shopper: str) -> Member:
    """One member.

    Raises:
        NotFound: this shopper has no record.
    """
    with reading(resources.engine) as connection:
        return _view(resources, _row(connection, shopper), now_ms(connection))


def page(resources: Resources, wanted: MemberFilter) -> MemberPage:
    """A page of members by shopper id.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, str)
    statement = select(members).order_by(members.c.shopper).limit(wanted.limit + 1)
    if position is not None:
        statement = statement.where(members.c.shopper > position[0])
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        if wanted.level is not None:
            level = case((members.c.paid_until_ms > now, members.c.paid_level), else_=members.c.level)
            statement = statement.where(level == wanted.level)
        rows = connection.execute(statement).all()
    shown, last = split(rows, wanted.limit)
    return MemberPage(
        items=[_view(resources, row, now) for row in shown],
        next=write_cursor(last.shopper) if last is not None else None,
    )


def change(resources: Resources, shopper: str, body: object, *, actor: str, if_match: int | None = None) -> Member:
    """Change some fields of a member.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem of the input.
    """
    given = check(MemberChange, body)
    with writing(resources.engine) as connection:
        row = _row(connection, shopper, lock=True)
        _check_revision(row, if_match)
        now = now_ms(connection)
        before = _view(resources, row, now).model_dump()
        values = columns(given.model_dump(include=given.model_fields_set))
        connection.execute(
            update(members)
            .where(members.c.shopper == shopper)
            .values(**values, revision=members.c.revision + 1, updated_at_ms=now)
        )
        member = _view(resources, _row(connection, shopper), now)
        audit.record(connection, actor, "change", "member", shopper, before=before, after=member.model_dump())
    return member


def remove(resources: Resources, shopper: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a member's record; from then on only their token's claims count.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
    """
    with writing(resources.engine) as connection:
        row = _row(connection, shopper, lock=True)
        _check_revision(row, if_match)
        connection.execute(delete(members).where(members.c.shopper == shopper))
        before = _view(resources, row, now_ms(connection)).model_dump()
        audit.record(connection, actor, "delete", "member", shopper, before=before)


def columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of an input as column values."""
    values = dict(fields)
    for name in ("since", "first_paid_at"):
        if name in values:
            values[f"{name}_ms"] = values.pop(name)
    if "paid" in values:
        paid = values.pop("paid") or {"level": None, "until": None}
        values |= {"paid_level": paid["level"], "paid_until_ms": paid["until"]}
    return values


def _row(connection: Connection, shopper: str, *, lock: bool = False) -> Row[Any]:
    statement = select(members).where(members.c.shopper == shopper)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound(f"there is no member {shopper}")
    return row


def _check_revision(row: Row[Any], if_match: int | None) -> None:
    if if_match is not None and if_match != row.revision:
        raise StaleRevision(f"{row.shopper} is at revision {row.revision}", revision=row.revision)


def _view(resources: Resources, row: Row[Any], now_ms: int) -> Member:
    return Member(
        shopper=row.shopper,
        level=row.level,
        effective_level=effective_level(row, now_ms),
        since=resources.iso_or_none(row.since_ms),
        birthday=row.birthday,
        first_paid_at=resources.iso_or_none(row.first_paid_at_ms),
        paid=None
        if row.paid_level is None
        else PaidUntil(level=row.paid_level, until=resources.iso(row.paid_until_ms)),
        note=row.note,
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )

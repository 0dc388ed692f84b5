"""Members: make, read, change, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func

from admin.inputs import check
from admin.members.facts import effective_level
from admin.members.models import Member, MemberChange, MemberFilter, MemberInput, MemberPage, PaidUntil
from admin.members.tables import members
from admin.memberships.holding import Held, bought_level, held
from admin.records import Records, containing
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

_MEMBERS = Records("member", members, key="shopper", order=("shopper",), taken="{key} is a {word} already")


def create(resources: Resources, body: object, *, actor: str) -> Member:
    """Make a member.

    Raises:
        Invalid: with every problem of the input.
        Conflict: the shopper is a member already.
    """
    given = check(MemberInput, body)
    with writing(resources.engine) as connection:
        show = partial(_show, resources, connection, now_ms(connection))
        return _MEMBERS.create(connection, columns(given.model_dump()), show, actor=actor)


def read(resources: Resources, shopper: str) -> Member:
    """One member.

    Raises:
        NotFound: this shopper has no record.
    """
    with reading(resources.engine) as connection:
        return _show(resources, connection, now_ms(connection), _MEMBERS.find(connection, shopper))


def page(resources: Resources, wanted: MemberFilter) -> MemberPage:
    """A page of members.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    conditions = []
    if wanted.q is not None:
        conditions.append(containing(wanted.q, members.c.shopper, members.c.note))
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        if wanted.level is not None:
            conditions.append(_level(now) == wanted.level)
        rows, following, total = _MEMBERS.page(connection, wanted, *conditions)
        bought = held(connection, [row.shopper for row in rows], now)
    items = [_view(resources, now, row, bought.get(row.shopper, ())) for row in rows]
    return MemberPage(items=items, next=following, total=total)


def change(resources: Resources, shopper: str, body: object, *, actor: str, if_match: int | None = None) -> Member:
    """Change some fields of a member.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem of the input.
    """
    given = check(MemberChange, body)
    values = columns(given.model_dump(include=given.model_fields_set))
    with writing(resources.engine) as connection:
        row = _MEMBERS.lock(connection, shopper, if_match)
        show = partial(_show, resources, connection, now_ms(connection))
        return _MEMBERS.change(connection, row, values, show, actor=actor)


def remove(resources: Resources, shopper: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a member's record; from then on only their token's claims count.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
    """
    with writing(resources.engine) as connection:
        row = _MEMBERS.lock(connection, shopper, if_match)
        show = partial(_show, resources, connection, now_ms(connection))
        _MEMBERS.remove(connection, row, show, actor=actor)


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


def _level(now_ms: int) -> ColumnElement[int]:
    """`facts.effective_level` where lists are paged."""
    paid = case((members.c.paid_until_ms > now_ms, members.c.paid_level))
    bought = bought_level(members.c.shopper, now_ms)
    highest = case((func.coalesce(bought, 0) > func.coalesce(paid, 0), bought), else_=paid)
    return func.coalesce(highest, members.c.level)


def _show(resources: Resources, connection: Connection, now_ms: int, row: Row[Any]) -> Member:
    return _view(resources, now_ms, row, held(connection, [row.shopper], now_ms).get(row.shopper, ()))


def _view(resources: Resources, now_ms: int, row: Row[Any], bought: Sequence[Held]) -> Member:
    best = next(iter(bought), None)
    return Member(
        shopper=row.shopper,
        level=row.level,
        effective_level=effective_level(row, None if best is None else best.level, now_ms),
        since=resources.iso_or_none(row.since_ms),
        birthday=row.birthday,
        first_paid_at=resources.iso_or_none(row.first_paid_at_ms),
        paid=None
        if row.paid_level is None
        else PaidUntil(level=row.paid_level, until=resources.iso(row.paid_until_ms)),
        bought=None if best is None else PaidUntil(level=best.level, until=resources.iso(best.until_ms)),
        note=row.note,
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )

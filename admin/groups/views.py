"""Reading groups. Nothing in what is shown leads to a shopper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from admin.errors import NotFound
from admin.groups.models import Group, GroupFilter, GroupInFull, GroupMember, GroupPage, GroupWithOrder, Progress
from admin.groups.tables import UNSETTLED, groups
from admin.orders import views as orders_views
from admin.paging import read_cursor, split, write_cursor
from admin.reservations.tables import reservations, tallies
from admin.resources import Resources
from gateway.orders.database import now_ms, reading
from gateway.orders.tables import orders

_SEAT = and_(tallies.c.kind == "seat", tallies.c.subject == groups.c.id, tallies.c.owner == "")
_RESERVED = func.coalesce(tallies.c.reserved, 0)
_COMMITTED = func.coalesce(tallies.c.committed, 0)


def _groups() -> Select[Any]:
    """Groups with the seats that are held but not paid for, and those that are."""
    return select(groups, _RESERVED.label("reserved"), _COMMITTED.label("committed")).select_from(
        groups.outerjoin(tallies, _SEAT)
    )


def find(connection: Connection, group: str) -> Row[Any]:
    """A group with its seats.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(_groups().where(groups.c.id == group)).one_or_none()
    if row is None:
        raise NotFound(f"there is no group {group}")
    return row


def lock(connection: Connection, group: str) -> Row[Any]:
    """The row of a group that nobody else changes before this transaction ends.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(select(groups).where(groups.c.id == group).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"there is no group {group}")
    return row


def order_in(connection: Connection, group: str, shopper: str) -> str | None:
    """The number of the order with which a shopper sits in a group."""
    found: str | None = connection.execute(
        _sitting(group).with_only_columns(orders.c.order_no).where(orders.c.shopper == shopper)
    ).scalar_one_or_none()
    return found


def read(resources: Resources, group: str, shopper: str | None) -> GroupInFull:
    """A group as a shopper or a guest sees it.

    Raises:
        NotFound: there is none with this id.
    """
    with reading(resources.engine) as connection:
        return GroupInFull.model_validate(_in_full(resources, connection, find(connection, group), shopper))


def with_order(resources: Resources, order_no: str) -> GroupWithOrder:
    """The group that an order is in, as the order's shopper sees it, with the order.

    Raises:
        NotFound: there is no such order.
    """
    with reading(resources.engine) as connection:
        order = orders_views.find(connection, order_no)
        about = _in_full(resources, connection, find(connection, order.group_id), order.shopper)
        shown = orders_views.in_full(resources, connection, order, for_shopper=True)
    return GroupWithOrder(**about, order_no=order_no, order=shown)


def page(resources: Resources, wanted: GroupFilter) -> GroupPage:
    """A page of the groups that may be joined.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int, str)
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        statement = (
            _groups()
            .where(UNSETTLED, groups.c.state == "open", groups.c.deadline_ms > now)
            .where(groups.c.size > _RESERVED + _COMMITTED)
            .order_by(groups.c.deadline_ms, groups.c.id)
            .limit(wanted.limit + 1)
        )
        if position is not None:
            at, last = position
            statement = statement.where(
                or_(groups.c.deadline_ms > at, and_(groups.c.deadline_ms == at, groups.c.id > last))
            )
        for name, value in (("campaign", wanted.campaign), ("sku", wanted.sku)):
            if value is not None:
                statement = statement.where(groups.c[name] == value)
        shown, final = split(connection.execute(statement).all(), wanted.limit)
    return GroupPage(
        items=[Group.model_validate(_told(resources, row, now)) for row in shown],
        next=None if final is None else write_cursor(final.deadline_ms, final.id),
    )


def progress(connection: Connection, ids: Iterable[str]) -> dict[str, Progress]:
    """How far some groups are; those that are not there are left out."""
    rows = connection.execute(_groups().where(groups.c.id.in_(list(ids))))
    return {row.id: Progress(**_seats(row), state=row.state) for row in rows}


def _seats(row: Row[Any]) -> dict[str, int]:
    if row.state == "full":
        # It was, whoever has been paid back since.
        return {"seats_held": row.size, "seats_paid": row.size, "seats_left": 0}
    held = row.reserved + row.committed
    left = row.size - held if row.state == "open" else 0
    return {"seats_held": held, "seats_paid": row.committed, "seats_left": left}


def _told(resources: Resources, row: Row[Any], now: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "campaign": row.campaign,
        "sku": row.sku,
        "name": row.name,
        "price": row.price,
        "base_price": row.base_price,
        "currency": resources.currency,
        "limit_per_shopper": row.limit_per_shopper,
        "size": row.size,
        **_seats(row),
        "state": row.state,
        "opened_at": resources.iso(row.opened_at_ms),
        "deadline": resources.iso(row.deadline_ms),
        "server_time": resources.iso(now),
        "url": f"/g/{row.id}",
    }


def _sitting(group: str) -> Select[Any]:
    """The orders that hold a seat, in the order in which they took it."""
    return (
        select(orders.c.order_no, orders.c.shopper, reservations.c.state)
        .join(reservations, reservations.c.order_no == orders.c.order_no)
        .where(
            reservations.c.kind == "seat",
            reservations.c.subject == group,
            reservations.c.owner == "",
            reservations.c.state != "released",
        )
        .order_by(orders.c.created_at_ms, orders.c.order_no)
    )


def _in_full(resources: Resources, connection: Connection, row: Row[Any], shopper: str | None) -> dict[str, Any]:
    sitting: Sequence[Row[Any]] = connection.execute(_sitting(row.id)).all()
    taken = [
        GroupMember(
            leader=each.shopper == row.leader,
            paid=each.state == "committed",
            virtual=False,
            me=each.shopper == shopper,
        )
        for each in sitting
    ]
    filled = [GroupMember(leader=False, paid=True, virtual=True, me=False)] * row.virtual_seats
    mine = [each.order_no for each in sitting if each.shopper == shopper]
    return {
        **_told(resources, row, now_ms(connection)),
        "members": [*taken, *filled],
        "my_order_no": mine[0] if mine else None,
    }

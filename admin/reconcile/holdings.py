"""What each order holds against its state and its lines; groups and memberships against their orders."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from admin.groups.seats import WAITING
from admin.groups.tables import groups
from admin.memberships.tables import membership_grants
from admin.orders.tables import order_lines
from admin.reconcile.breaches import ShopBreach
from admin.reservations.tables import reservations, tallies
from gateway.orders.tables import ACTIVE_STATES, OVER_STATES, orders

STOCK_WAITS = ("deposit_paid", "balance_due", "awaiting_group")
"""States of orders that are paid for, in whole or in part, and whose stock may still go back to the shop."""
DONE = ("paid", "shipped", "completed")

_LOOK = "look at the order's history and correct it in the database"


def check(connection: Connection) -> Iterator[ShopBreach]:
    """Reservations, stock, groups and memberships."""
    yield from _kept(connection)
    yield from _states(connection)
    yield from _stock(connection)
    yield from _groups(connection)
    yield from _memberships(connection)


def over_and_holding() -> ColumnElement[bool]:
    """The condition that a reservation is held by an order that is over. Stock that was sold stays sold."""
    return and_(
        orders.c.status.in_(OVER_STATES),
        or_(
            reservations.c.state == "reserved",
            and_(reservations.c.state == "committed", reservations.c.kind != "stock"),
        ),
    )


def _kept(connection: Connection) -> Iterator[ShopBreach]:
    rows = connection.execute(
        select(reservations.c.order_no, orders.c.status, func.count().label("number"))
        .join(orders, orders.c.order_no == reservations.c.order_no)
        .where(over_and_holding())
        .group_by(reservations.c.order_no, orders.c.status)
        .order_by(reservations.c.order_no)
    )
    for row in rows:
        says = f"the order is {row.status} and still holds {row.number} things"
        yield ShopBreach("reservation_kept", says, order_no=row.order_no, key=(row.order_no,))


def _states(connection: Connection) -> Iterator[ShopBreach]:
    kind, state, status = reservations.c.kind, reservations.c.state, orders.c.status
    wrong = or_(
        and_(status == "pending", state != "reserved"),
        and_(status.in_(STOCK_WAITS), kind == "stock", state != "reserved"),
        # A coupon for the balance is reserved until that is paid.
        and_(status.in_(STOCK_WAITS), kind != "stock", state != "committed", ~kind.startswith("coupon")),
        and_(status.in_(DONE), state != "committed"),
    )
    rows = connection.execute(
        select(reservations, status)
        .join(orders, orders.c.order_no == reservations.c.order_no)
        .where(wrong)
        .order_by(reservations.c.order_no, kind, reservations.c.subject)
    )
    for row in rows:
        says = f"the order is {row.status}, and its {row.amount} of {row.kind} {row.subject} are {row.state}"
        subject = f"{row.kind} {row.subject}"
        yield ShopBreach("reservation_differs", says, subject, row.order_no, asks=_LOOK)


def _stock(connection: Connection) -> Iterator[ShopBreach]:
    units = func.sum(order_lines.c.quantity)
    amount = func.coalesce(func.max(reservations.c.amount), 0)
    stock = and_(
        reservations.c.order_no == order_lines.c.order_no,
        reservations.c.kind == "stock",
        reservations.c.subject == order_lines.c.sku,
        reservations.c.state != "released",
    )
    rows = connection.execute(
        select(order_lines.c.order_no, order_lines.c.sku, units.label("units"), amount.label("amount"))
        .select_from(
            order_lines.join(orders, orders.c.order_no == order_lines.c.order_no).outerjoin(reservations, stock)
        )
        .where(orders.c.status.in_(ACTIVE_STATES))
        .group_by(order_lines.c.order_no, order_lines.c.sku)
        .having(units != amount)
        .order_by(order_lines.c.order_no, order_lines.c.sku)
    )
    for row in rows:
        says = f"its lines have {row.units} units of {row.sku}, and {row.amount} are held for it"
        yield ShopBreach("stock_unheld", says, f"product {row.sku}", row.order_no, asks=_LOOK)


def _groups(connection: Connection) -> Iterator[ShopBreach]:
    waiting = exists().where(orders.c.group_id == groups.c.id, orders.c.status.in_(WAITING))
    awaiting = exists().where(orders.c.group_id == groups.c.id, orders.c.status == "awaiting_group")
    seats = and_(tallies.c.kind == "seat", tallies.c.subject == groups.c.id, tallies.c.owner == "")
    taken = func.coalesce(tallies.c.committed, 0)
    held = taken + func.coalesce(tallies.c.reserved, 0)
    kinds = (
        (
            and_(groups.c.state != "open", groups.c.settled, waiting),
            "it is over, and orders in it still wait for it",
            "pay these orders back, or cancel them",
        ),
        (
            and_(groups.c.state == "full", groups.c.virtual_seats == 0, awaiting),
            "it is full, and orders in it still wait for it",
            "look at these orders: whoever has a seat must get the goods, the others their money",
        ),
        (
            and_(groups.c.state == "open", taken >= groups.c.size),
            "every seat is paid for, and it is still open",
            "look at its orders' histories, and pay those back that are too many",
        ),
        (
            held + groups.c.virtual_seats > groups.c.size,
            "more seats are taken than it has",
            "pay those back who came last",
        ),
    )
    for wrong, says, asks in kinds:
        found = select(groups.c.id).select_from(groups.outerjoin(tallies, seats)).where(wrong).order_by(groups.c.id)
        for group in connection.execute(found).scalars():
            yield ShopBreach("group_differs", says, f"group {group}", asks=asks)


def _memberships(connection: Connection) -> Iterator[ShopBreach]:
    rows = connection.execute(
        select(membership_grants.c.order_no, membership_grants.c.line, membership_grants.c.level)
        .join(orders, orders.c.order_no == membership_grants.c.order_no)
        .where(orders.c.status == "refunded", ~membership_grants.c.revoked)
        .order_by(membership_grants.c.order_no, membership_grants.c.line)
    )
    for row in rows:
        says = f"the order is refunded, and the membership of level {row.level} that it granted still counts"
        asks = "mark the grant as revoked in the database, or agree with the shopper that it stays"
        yield ShopBreach("membership_kept", says, f"line {row.line}", row.order_no, asks=asks)

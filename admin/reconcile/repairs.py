"""Putting right what has one right answer in the shop's books."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.exc import IntegrityError

from admin.catalog.tables import products
from admin.coupons.tables import coupon_claims, coupons
from admin.orders import views
from admin.reconcile import counts, holdings
from admin.reconcile.breaches import Remedy, ShopBreach
from admin.reconcile.looking import broken
from admin.reservations import ledger
from admin.reservations.kinds import ORDER
from admin.reservations.tables import reservations, tallies
from gateway.orders.database import writing
from gateway.orders.reconcile.report import Told
from gateway.orders.tables import orders

ROUNDS = 2
"""So often it is looked again: what an order gives back may show a count that was wrong."""

_OPEN = text("""
    INSERT INTO tallies (kind, subject, owner, reserved, committed) VALUES (:kind, :subject, :owner, 0, 0)
    ON CONFLICT (kind, subject, owner) DO NOTHING
""")

log = logging.getLogger(__name__)


def look(engine: Engine, repairing: bool) -> tuple[list[Told], list[Told]]:
    """Look at the shop's books, and repair if asked to.

    Returns:
        What was broken and no longer is, and what is.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    found = broken(engine)
    repaired, left = repair(engine, found) if repairing else ([], found)
    return [*repaired], [*left]


def repair(engine: Engine, found: Sequence[ShopBreach]) -> tuple[list[ShopBreach], list[ShopBreach]]:
    """Put right what has one right answer, and look again.

    Returns:
        What was broken and no longer is, and what still is.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: a part may be done; ask again.
    """
    repaired: dict[tuple[object, ...], ShopBreach] = {}
    left = list(found)
    for _ in range(ROUNDS):
        todo = [each for each in left if each.remedy is not Remedy.ASK]
        if not todo:
            break
        # Orders give back first, so that counts are set when all is given back.
        for each in sorted(todo, key=lambda breach: breach.remedy is not Remedy.RELEASE):
            _put_right(engine, each)
        left = broken(engine)
        repaired |= {each.place: each for each in todo}
    for each in left:
        repaired.pop(each.place, None)
    return list(repaired.values()), left


def _put_right(engine: Engine, breach: ShopBreach) -> None:
    """Each repair is a transaction of its own and reads anew under the lock of what it changes."""
    repairs: Mapping[Remedy, Callable[..., None]] = {
        Remedy.SUM: _sum,
        Remedy.PROMISE: _promise,
        Remedy.RELEASE: _release,
        Remedy.CLAIMS: _claims,
    }
    try:
        with writing(engine) as connection:
            repairs[breach.remedy](connection, *breach.key)
    except IntegrityError as error:
        log.error("%s cannot be put right: %s", breach.where, error.orig)


def _sum(connection: Connection, kind: str, subject: str, owner: str) -> None:
    assert kind in ORDER, f"stock has no tallies, and {kind} is none of the kinds"
    this = tallies.c.kind == kind, tallies.c.subject == subject, tallies.c.owner == owner
    # Whoever changes a reservation changes its tally, too: with that locked, all that is seen is whole.
    connection.execute(_OPEN, {"kind": kind, "subject": subject, "owner": owner})
    connection.execute(select(tallies).where(*this).with_for_update())
    sums = connection.execute(
        counts.held(reservations.c.kind == kind, reservations.c.subject == subject, reservations.c.owner == owner)
    ).one_or_none()
    reserved, committed = (0, 0) if sums is None else (sums.reserved, sums.committed)
    connection.execute(update(tallies).where(*this).values(reserved=reserved, committed=committed))


def _promise(connection: Connection, sku: str) -> None:
    this = products.c.sku == sku
    connection.execute(select(products.c.sku).where(this).with_for_update())
    wanted = counts.promised(connection, sku).get(sku, 0)
    connection.execute(update(products).where(this).values(reserved=wanted))


def _release(connection: Connection, order_no: str) -> None:
    views.find(connection, order_no, lock=True)
    holding = (
        select(reservations.c.order_no)
        .join(orders, orders.c.order_no == reservations.c.order_no)
        .where(reservations.c.order_no == order_no, holdings.over_and_holding())
        .limit(1)
    )
    if connection.execute(holding).one_or_none() is not None:
        ledger.release(connection, order_no)


def _claims(connection: Connection, coupon: str) -> None:
    this = coupons.c.code == coupon
    connection.execute(select(coupons.c.code).where(this).with_for_update())
    claims = select(func.count()).where(coupon_claims.c.coupon == coupon).scalar_subquery()
    connection.execute(update(coupons).where(this).values(claimed=claims))

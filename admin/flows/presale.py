"""Orders of a pre-sale: first the deposit, then, in its window, the balance."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from admin.errors import Conflict
from admin.flows.interface import Arrived, Due, Flow, first_due
from admin.memberships import granting
from admin.payments.tables import payments
from admin.presales import opening
from admin.presales.terms import WITH_TERMS, terms_of, wake
from admin.reservations import ledger
from admin.resources import Resources
from gateway.orders.tables import orders

DEPOSITED = ("deposit_paid", "balance_due")
"""States in which the deposit is paid, and the balance is not."""


def _due(resources: Resources, connection: Connection, order: Row[Any], now_ms: int) -> Due:
    terms = terms_of(connection, order.order_no)
    if now_ms >= terms.balance_ends_at_ms and order.status in {*DEPOSITED, "expired"}:
        ended_at = resources.iso(terms.balance_ends_at_ms)
        raise Conflict(f"the time to pay the balance ended at {ended_at}", code="order_expired", state=order.status)
    if order.status not in DEPOSITED:
        return first_due(resources, order, now_ms, terms.deposit, "deposit")
    if now_ms < terms.balance_starts_at_ms:
        starts_at = resources.iso(terms.balance_starts_at_ms)
        raise Conflict(
            f"the balance may be paid from {starts_at}",
            code="balance_not_open",
            state=order.status,
            balance_starts_at=starts_at,
        )
    return Due(order.total - terms.deposit, "balance", terms.balance_ends_at_ms)


def _take(resources: Resources, connection: Connection, order: Row[Any], money: Arrived) -> bool:
    terms = terms_of(connection, order.order_no)
    if money.purpose == "deposit":
        # A deposit that comes when the balance can no longer be paid would only be lost.
        if money.at_ms >= terms.balance_ends_at_ms or not money.move(connection, order, "pending", "deposit_paid"):
            return False
        # The units go back to the shop if the balance stays unpaid.
        ledger.commit(connection, order.order_no, stock=False)
        wake(connection, order.order_no, terms.balance_starts_at_ms)
        return True
    if _amount(connection, money) != order.total - terms.deposit or not money.move(
        connection, order, "balance_due", "paid"
    ):
        return False
    ledger.commit(connection, order.order_no)
    wake(connection, order.order_no, None)
    granting.grant(resources, connection, order, money.at_ms)
    return True


def _amount(connection: Connection, money: Arrived) -> int:
    """How much has come: what was refused and settles all the same may be of the time before a coupon."""
    if money.payment is None:
        return 0
    return int(connection.execute(select(payments.c.amount).where(payments.c.id == money.payment)).scalar_one())


def _let_go(connection: Connection, order: Row[Any], _at_ms: int) -> None:
    ledger.release(connection, order.order_no)


def _catch_up(resources: Resources, connection: Connection, order: Row[Any], now_ms: int) -> bool:
    """Open the balance at once, if its time has come and the round that does so has not."""
    if order.status != "deposit_paid":
        return False
    found = connection.execute(WITH_TERMS.where(orders.c.order_no == order.order_no)).one()
    if not found.balance_starts_at_ms <= now_ms < found.balance_ends_at_ms:
        return False
    opening.open_balances(resources, connection, [found], now_ms)
    return True


FLOW = Flow(
    "presale",
    _due,
    _take,
    _let_go,
    settled=frozenset({"deposit_paid", "paid", "shipped", "completed"}),
    catch_up=_catch_up,
)

"""Orders of a pre-sale: first the deposit, then, in its window, the balance."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from admin.errors import Conflict
from admin.flows.interface import Arrived, Due, Flow, first_due
from admin.memberships import granting
from admin.presales.tables import presale_orders
from admin.reservations import ledger
from admin.resources import Resources
from gateway.orders import states


def parts(connection: Connection, order_no: str) -> Row[Any]:
    """The parts of a pre-sale order, as they were at the deposit."""
    return connection.execute(select(presale_orders).where(presale_orders.c.order_no == order_no)).one()


def _due(resources: Resources, connection: Connection, order: Row[Any], now_ms: int) -> Due:
    terms = parts(connection, order.order_no)
    if order.status not in {"deposit_paid", "balance_due"}:
        return first_due(resources, order, now_ms, terms.deposit, "deposit")
    if now_ms < terms.balance_starts_at_ms:
        starts_at = resources.iso(terms.balance_starts_at_ms)
        raise Conflict(
            f"the balance may be paid from {starts_at}",
            code="balance_not_open",
            state=order.status,
            balance_starts_at=starts_at,
        )
    if now_ms >= terms.balance_ends_at_ms:
        ended_at = resources.iso(terms.balance_ends_at_ms)
        raise Conflict(f"the time to pay the balance ended at {ended_at}", code="order_expired", state=order.status)
    return Due(order.total - terms.deposit, "balance", terms.balance_ends_at_ms)


def _take(resources: Resources, connection: Connection, order: Row[Any], money: Arrived) -> bool:
    detail = {"payment": money.payment}
    if money.purpose == "deposit":
        took = states.move(
            connection,
            order.order_no,
            "pending",
            "deposit_paid",
            actor="payment",
            at_ms=money.at_ms,
            detail=detail,
        )
        if took:
            # The units go back to the shop if the balance stays unpaid.
            ledger.commit(connection, order.order_no, stock=False)
        return took
    before = order.status
    if before not in {"deposit_paid", "balance_due"}:
        return False
    if before == "deposit_paid":
        states.move(
            connection, order.order_no, before, "balance_due", actor="presale", at_ms=money.at_ms, detail={}
        )
    states.move(
        connection,
        order.order_no,
        "balance_due",
        "paid",
        actor="payment",
        at_ms=money.at_ms,
        detail=detail,
        paid_at_ms=money.at_ms,
    )
    ledger.commit(connection, order.order_no)
    granting.grant(resources, connection, order, money.at_ms)
    return True


def _let_go(connection: Connection, order: Row[Any], _at_ms: int) -> None:
    ledger.release(connection, order.order_no)


FLOW = Flow("presale", _due, _take, _let_go, frozenset({"deposit_paid", "paid", "shipped", "completed"}))

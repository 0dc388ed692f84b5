"""Writing down what providers say: money that arrived pays its order once, or goes back.

Locks are taken in one order everywhere: the group, the order, its payments, what is counted (see
`admin/reservations/kinds.py`), the campaign's item, the product, the offer, the units.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from admin.flows.interface import Arrived, Due
from admin.flows.registry import flow_of
from admin.orders import views
from admin.payments import refunding
from admin.payments.amounts import Owed
from admin.payments.providers import interface
from admin.payments.providers.interface import Provider, Standing
from admin.payments.tables import payments
from admin.resources import Resources
from gateway.orders.database import now_ms, writing


def begin(connection: Connection, order: Row[Any], due: Due, provider: Provider, wish: str | None) -> Row[Any]:
    """Write a new payment of what is due down, before the provider is asked."""
    payment_id = f"pay_{secrets.token_urlsafe(18)}"
    connection.execute(
        insert(payments).values(
            id=payment_id,
            order_no=order.order_no,
            provider=provider.name,
            amount=due.amount,
            currency=order.currency,
            purpose=due.purpose,
            state="started",
            plan=provider.plan(wish, due.until_ms),
            created_at_ms=now_ms(connection),
        )
    )
    return connection.execute(select(payments).where(payments.c.id == payment_id)).one()


def as_asked(row: Row[Any]) -> interface.Payment:
    """A payment as its provider sees it."""
    return interface.Payment(row.id, row.order_no, row.amount, row.currency, row.plan)


def book(resources: Resources, payment: Row[Any], standing: Standing) -> None:
    """Write down how a payment stands, and send its money back when it paid for nothing.

    Raises:
        SQLAlchemyError: the database is away; the provider will be asked again.
    """
    with writing(resources.engine) as connection:
        refund = enter(resources, connection, payment, standing)
    if refund is not None:
        refunding.send(resources, refund)


def enter(resources: Resources, connection: Connection, payment: Row[Any], standing: Standing) -> str | None:
    """Write down how a payment stands, whoever says it and however often.

    Returns:
        The refund to send after the commit, when the order could not take the money.
    """
    if standing.state == "waiting":
        return None
    order = views.find(connection, payment.order_no, lock=True)
    now = now_ms(connection)
    if standing.state == "refused":
        _turn(connection, payment, ("started",), state="refused", reference=standing.reference)
        return None
    # Money that arrives after a refusal is money all the same.
    if not _turn(
        connection,
        payment,
        ("started", "refused"),
        state="settled",
        reference=standing.reference,
        settled_at_ms=now,
    ):
        return None
    if flow_of(order).take(resources, connection, order, Arrived(payment.purpose, payment.id, now)):
        return None
    others = [each for each in refunding.that_paid(connection, order.order_no) if each.id != payment.id]
    reason = "double_payment" if any(each.purpose == payment.purpose for each in others) else "late_payment"
    return refunding.write_down(
        connection,
        order.order_no,
        Owed((), payment.amount),
        state="sending",
        reason=reason,
        by="payment",
        at_ms=now,
        through=payment.id,
    )


def _turn(connection: Connection, payment: Row[Any], before: tuple[str, ...], **values: Any) -> bool:
    changed = connection.execute(
        update(payments).where(payments.c.id == payment.id, payments.c.state.in_(before)).values(**values)
    )
    return bool(changed.rowcount)

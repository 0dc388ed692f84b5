"""Writing down what providers say: money that arrived pays its order once, or goes back.

Locks are taken in one order everywhere: the order, its payments, the campaign's item, the product, the offer, the
units.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Row, exists, insert, select, update

from admin.catalog import service as catalog
from admin.orders import views
from admin.payments import refunding
from admin.payments.providers import interface
from admin.payments.providers.interface import Provider, Standing
from admin.payments.tables import payments, refunds
from admin.resources import Resources
from gateway.orders import states
from gateway.orders.database import now_ms, writing

OVER = ("cancelled", "expired")
SENT_BACK = ("late_payment", "double_payment")
"""Reasons of refunds of money that paid for nothing."""


def begin(connection: Connection, order: Row[Any], provider: Provider, wish: str | None) -> Row[Any]:
    """Write a new payment down, before the provider is asked."""
    payment_id = f"pay_{secrets.token_urlsafe(18)}"
    connection.execute(
        insert(payments).values(
            id=payment_id,
            order_no=order.order_no,
            provider=provider.name,
            amount=order.total,
            currency=order.currency,
            state="started",
            plan=provider.plan(wish, order.expire_at_ms),
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
        refund = enter(connection, payment, standing)
    if refund is not None:
        refunding.send(resources, refund)


def enter(connection: Connection, payment: Row[Any], standing: Standing) -> str | None:
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
    if states.move(
        connection,
        order.order_no,
        "pending",
        "paid",
        actor="payment",
        at_ms=now,
        detail={"payment": payment.id},
        paid_at_ms=now,
    ):
        catalog.hand_over(connection, order.sku, order.quantity)
        return None
    reason = "late_payment" if order.status in OVER else "double_payment"
    return refunding.write_down(
        connection, payment, [], payment.amount, state="sending", reason=reason, by="payment", at_ms=now
    )


def _turn(connection: Connection, payment: Row[Any], before: tuple[str, ...], **values: Any) -> bool:
    changed = connection.execute(
        update(payments).where(payments.c.id == payment.id, payments.c.state.in_(before)).values(**values)
    )
    return bool(changed.rowcount)


def that_paid(connection: Connection, order_no: str) -> Row[Any] | None:
    """The payment that an order was paid with, if any."""
    sent_back = exists().where(refunds.c.payment == payments.c.id, refunds.c.reason.in_(SENT_BACK))
    return connection.execute(
        select(payments).where(payments.c.order_no == order_no, payments.c.state == "settled", ~sent_back)
    ).one_or_none()

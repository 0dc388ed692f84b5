"""Callbacks of providers: genuine ones take effect once, however often they come."""

from __future__ import annotations

import time

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from admin.errors import Conflict, NotFound
from admin.payments import booking, refunding
from admin.payments.providers import registry
from admin.payments.providers.interface import Signed
from admin.payments.tables import payment_callbacks, payments
from admin.resources import Resources
from gateway.orders.database import now_ms, writing


def receive(resources: Resources, provider: str, given: Signed) -> bool:
    """Deal with one callback; False when it was dealt with before.

    Raises:
        NotFound: no such provider or payment; the provider should try again later.
        BadSignature: it is not genuine, or too old.
        Invalid, Malformed: it has another form than agreed.
        Conflict: it speaks of another amount than was asked for.
    """
    said = registry.named(resources, provider).read_callback(given, time.time())
    with writing(resources.engine) as connection:
        payment = connection.execute(
            select(payments).where(payments.c.id == said.payment, payments.c.provider == provider)
        ).one_or_none()
        if payment is None:
            raise NotFound(f"there is no payment {said.payment}")
        if (said.amount, said.currency) != (payment.amount, payment.currency):
            raise Conflict(
                f"the payment is of {payment.amount} {payment.currency}",
                code="amount_differs",
                amount=payment.amount,
                currency=payment.currency,
            )
        if not _first(connection, provider, said.id):
            return False
        refund = booking.enter(resources, connection, payment, said.standing)
    if refund is not None:
        refunding.send(resources, refund)
    return True


def _first(connection: Connection, provider: str, callback: str) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(
                insert(payment_callbacks).values(
                    provider=provider, callback_id=callback, received_at_ms=now_ms(connection)
                )
            )
    except IntegrityError:
        return False
    return True

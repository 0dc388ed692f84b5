"""A shopper pays an order: at most one payment counts, and whatever else arrives goes back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from admin.errors import Conflict, Invalid, PaymentRefused
from admin.flows.interface import Arrived, Due
from admin.flows.registry import flow_of
from admin.inputs import UNSET, Input
from admin.orders import views
from admin.orders.models import OrderInFull
from admin.orders.ownership import own
from admin.payments import booking, webhook
from admin.payments.providers import registry
from admin.payments.providers.interface import Provider, ProviderAway, Standing
from admin.payments.providers.sandbox import Sandbox
from admin.payments.tables import payments
from admin.resources import Resources
from admin.routing import Call
from gateway.orders.database import now_ms, reading, writing

_OVER = ("cancelled", "expired")
_log = logging.getLogger(__name__)


class PayInput(Input):
    """How to pay. `sandbox` tells the sandbox provider what to do instead of settling at once."""

    sandbox: Literal["refuse", "late", "twice"] = UNSET


def pay(call: Call) -> tuple[OrderInFull, bool]:
    """Pay an order; False when the provider has not decided yet.

    Raises:
        NotFound, NotReady: there is no such order of theirs, or not yet.
        Conflict: its state or the time forbids it, or there is no provider.
        PaymentRefused: the provider does not take the money.
    """
    return pay_as(call, call.read(PayInput).sandbox)


def pay_as(call: Call, wish: str | None) -> tuple[OrderInFull, bool]:
    """The same when the body is read: `wish` is for the sandbox. What costs nothing is paid without a provider."""
    resources = call.resources
    with writing(resources.engine) as connection:
        order = current(call, connection)
        if _settled(resources, connection, order):
            return _shown(resources, connection, own(call, connection)), True
        _check(resources, connection, order, wish)
    # First what an earlier attempt left without an answer: asking again with its id moves no money twice.
    ask_again(resources, order.order_no)
    with writing(resources.engine) as connection:
        order = current(call, connection)
        if _settled(resources, connection, order):
            return _shown(resources, connection, own(call, connection)), True
        provider, due = _check(resources, connection, order, wish)
        payment = booking.begin(connection, order, due, provider, wish)
    if ask(resources, payment) == "refused":
        raise PaymentRefused(
            "the provider does not take the money; the order may still be paid", state=order.status
        )
    deliver(resources, payment)
    return _after(call)


def current(call: Call, connection: Connection) -> Row[Any]:
    """The caller's order, locked, as the clock has it by now.

    Raises:
        NotFound, NotReady: there is no such order of theirs, or not yet.
    """
    order = own(call, connection, lock=True)
    if flow_of(order).catch_up(call.resources, connection, order, now_ms(connection)):
        return own(call, connection)
    return order


def ask_again(resources: Resources, order_no: str) -> None:
    """Ask about the payments of an order that have no answer yet, until one of them has settled."""
    with reading(resources.engine) as connection:
        unanswered = waiting(connection, order_no)
    for payment in unanswered:
        if ask(resources, payment) == "settled":
            return


def _settled(resources: Resources, connection: Connection, order: Row[Any]) -> bool:
    """Whether nothing is to be paid for the moment; an amount of nothing is paid at once."""
    if order.status in flow_of(order).settled:
        return True
    now = now_ms(connection)
    due = flow_of(order).due(resources, connection, order, now)
    return not due.amount and flow_of(order).take(resources, connection, order, Arrived(due.purpose, None, now))


def ask(resources: Resources, payment: Row[Any]) -> str:
    """Ask a payment's provider how it stands, and write that down; the state it says."""
    try:
        standing = registry.named(resources, payment.provider).charge(booking.as_asked(payment))
    except ProviderAway as error:
        _log.warning("payment %s will be asked about again: %s", payment.id, error)
        return "waiting"
    if standing.state != "waiting":
        booking.book(resources, payment, standing)
    return standing.state


def look_up(resources: Resources, payment: Row[Any]) -> None:
    """Find out about a payment of an order that is over. It must not be charged for now, only to be sent back."""
    try:
        found = registry.named(resources, payment.provider).find(booking.as_asked(payment))
    except ProviderAway as error:
        _log.warning("payment %s will be asked about again: %s", payment.id, error)
        return
    booking.book(resources, payment, found or Standing("refused"))


def deliver(resources: Resources, payment: Row[Any]) -> bool:
    """Let in the due callbacks of a provider that lives in this process; False when there are none."""
    with reading(resources.engine) as connection:
        now = now_ms(connection)
    due = registry.named(resources, payment.provider).callbacks(booking.as_asked(payment), now)
    for callback in due:
        webhook.receive(resources, payment.provider, callback)
    return bool(due)


def _check(resources: Resources, connection: Connection, order: Row[Any], wish: str | None) -> tuple[Provider, Due]:
    """The provider to ask, and for what, if the order may be paid now."""
    due = flow_of(order).due(resources, connection, order, now_ms(connection))
    provider = registry.chosen(resources)
    if wish is not None and provider.name != Sandbox.name:
        raise Invalid.one("sandbox", "other_provider", f"payments are taken by {provider.name}")
    return provider, due


def waiting(connection: Connection, order_no: str) -> Sequence[Row[Any]]:
    """Payments of an order that nobody has an answer for yet, the earliest first."""
    return connection.execute(
        select(payments)
        .where(payments.c.order_no == order_no, payments.c.state == "started")
        .order_by(payments.c.created_at_ms, payments.c.id)
    ).all()


def _after(call: Call) -> tuple[OrderInFull, bool]:
    """The order as it stands after a payment."""
    with reading(call.resources.engine) as connection:
        order = own(call, connection)
        if order.status in _OVER:
            raise Conflict(
                f"the order was {order.status} before the money came; it goes back",
                code="order_expired" if order.status == "expired" else "wrong_state",
                state=order.status,
            )
        return _shown(call.resources, connection, order), order.status in flow_of(order).settled


def _shown(resources: Resources, connection: Connection, order: Row[Any]) -> OrderInFull:
    return views.in_full(resources, connection, order, for_shopper=True)

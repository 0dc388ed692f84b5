"""Sending money back: written down first, then asked of the provider, then finished. Any step may be repeated."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from admin.campaigns.tables import campaign_items
from admin.catalog import service as catalog
from admin.orders import views
from admin.orders.releasing import back_on_sale
from admin.payments.providers import interface, registry
from admin.payments.providers.interface import ProviderAway
from admin.payments.tables import payments, refunds
from admin.resources import Resources
from gateway.orders import releases, states
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import order_events, order_units

_log = logging.getLogger(__name__)


def write_down(
    connection: Connection,
    payment: Row[Any],
    units: Sequence[int],
    amount: int,
    *,
    state: str,
    reason: str,
    by: str,
    at_ms: int,
    restock: bool = False,
) -> str:
    """Write a refund down, before the provider is asked; its id."""
    refund_id = f"ref_{secrets.token_urlsafe(18)}"
    connection.execute(
        insert(refunds).values(
            id=refund_id,
            order_no=payment.order_no,
            payment=payment.id,
            units=list(units),
            amount=amount,
            state=state,
            reason=reason,
            restock=restock,
            requested_by=by,
            requested_at_ms=at_ms,
        )
    )
    return refund_id


def send(resources: Resources, refund_id: str) -> None:
    """Have a refund sent and finish it; one that the provider has not done yet is tried again by `FollowUp`.

    Raises:
        SQLAlchemyError: the database is away; the provider will be asked again.
    """
    with reading(resources.engine) as connection:
        row = connection.execute(
            select(refunds, payments.c.provider, payments.c.reference, payments.c.currency)
            .join(payments, payments.c.id == refunds.c.payment)
            .where(refunds.c.id == refund_id)
        ).one()
    if row.state != "sending":
        return
    asked = interface.Refund(row.id, row.payment, row.reference, row.amount, row.currency)
    try:
        done = registry.named(resources, row.provider).give_back(asked)
    except ProviderAway as error:
        _log.warning("refund %s will be asked for again: %s", row.id, error)
        return
    if done:
        _finish(resources, row)


def _finish(resources: Resources, refund: Row[Any]) -> None:
    with writing(resources.engine) as connection:
        order = views.find(connection, refund.order_no, lock=True)
        now = now_ms(connection)
        settled = connection.execute(
            update(refunds)
            .where(refunds.c.id == refund.id, refunds.c.state == "sending")
            .values(state="settled", settled_at_ms=now)
        ).rowcount
        if not settled or not refund.units:
            return
        _let_go(connection, order, refund, now)
        left = connection.execute(
            select(func.count()).where(order_units.c.order_no == order.order_no, order_units.c.active)
        ).scalar_one()
        moved = states.move(
            connection,
            order.order_no,
            "refunding",
            origin(connection, order.order_no) if left else "refunded",
            actor="refund",
            at_ms=now,
            detail={"refund": refund.id, "units": refund.units, "amount": refund.amount},
        )
        assert moved, f"order {order.order_no} has a refund under way and is {order.status}"
    if refund.restock:
        back_on_sale(resources, order.order_no)


def _let_go(connection: Connection, order: Row[Any], refund: Row[Any], now: int) -> None:
    """The order no longer holds what was paid back."""
    these = order_units.c.order_no == order.order_no, order_units.c.unit.in_(refund.units), order_units.c.active
    count = connection.execute(select(func.count()).where(*these)).scalar_one()
    assert count == len(refund.units), f"refund {refund.id} names units that {order.order_no} does not hold"
    if not refund.restock:
        connection.execute(update(order_units).where(*these).values(active=False))
        return
    # Units that nobody buys must go back to the product again after the end.
    connection.execute(
        update(campaign_items)
        .where(campaign_items.c.campaign == order.campaign, campaign_items.c.sku == order.sku)
        .values(settled=False)
    )
    catalog.take_in(connection, order.sku, count)
    releases.request(connection, order.order_no, order.offer, order.shopper, refund.units, at_ms=now)


def origin(connection: Connection, order_no: str) -> str:
    """The state that an order with a refund under way came from."""
    return str(
        connection.execute(
            select(order_events.c.before)
            .where(order_events.c.order_no == order_no, order_events.c.after == "refunding")
            .order_by(order_events.c.id.desc())
            .limit(1)
        ).scalar_one()
    )

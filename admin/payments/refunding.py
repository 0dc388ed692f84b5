"""Sending money back: written down first, then asked of the providers, then finished. Any step may be repeated.

Money goes back through the payments that it came by, the latest first. Each part is a transfer, whose id is what
the provider knows it by.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, exists, func, insert, select, update

from admin.errors import Conflict
from admin.orders import views
from admin.orders.releasing import back_on_sale
from admin.payments import amounts, returning
from admin.payments.amounts import Owed, Source
from admin.payments.providers import interface, registry
from admin.payments.providers.interface import ProviderAway
from admin.payments.tables import SENT_BACK, payments, refund_transfers, refunds
from admin.resources import Resources
from gateway.orders import states
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import events, order_events

_log = logging.getLogger(__name__)


def write_down(
    connection: Connection,
    order_no: str,
    what: Owed,
    *,
    state: str,
    reason: str,
    by: str,
    at_ms: int,
    restock: bool = False,
    through: str | None = None,
) -> str:
    """Write a refund down, before any provider is asked; its id.

    `through` is the payment whose money goes back because it paid for nothing.

    Raises:
        Conflict: the ledger does not have so much money of the order.
    """
    refund_id = f"ref_{secrets.token_urlsafe(18)}"
    parts = [(through, what.amount)] if through is not None else _parts(connection, order_no, what.amount)
    connection.execute(
        insert(refunds).values(
            id=refund_id,
            order_no=order_no,
            payment=parts[0][0] if parts else None,
            units=list(what.units),
            amount=what.amount,
            state=state,
            reason=reason,
            restock=restock,
            requested_by=by,
            requested_at_ms=at_ms,
            gifts_kept=list(what.gifts_kept) or None,
            held_back=what.held_back,
        )
    )
    if state == "sending":
        _write_transfers(connection, refund_id, parts)
    _tell(connection, "refund.requested", refund_id, order_no, what.amount, at_ms)
    return refund_id


def divide(connection: Connection, refund_id: str, order_no: str, amount: int) -> None:
    """Write down through which payments a refund goes that is agreed to.

    Raises:
        Conflict: the ledger does not have so much money of the order.
    """
    _write_transfers(connection, refund_id, _parts(connection, order_no, amount))


def paid_back(connection: Connection, order_no: str) -> int:
    """What went back for units of an order."""
    return int(
        connection.execute(
            select(func.coalesce(func.sum(refunds.c.amount), 0)).where(
                refunds.c.order_no == order_no, refunds.c.state == "settled", refunds.c.reason.not_in(SENT_BACK)
            )
        ).scalar_one()
    )


def that_paid(connection: Connection, order_no: str) -> Sequence[Row[Any]]:
    """The payments that an order was paid with, the latest first."""
    # Found by the order: refunds are not looked up by payment.
    of_it = refunds.c.order_no == order_no, refunds.c.payment == payments.c.id
    sent_back = exists().where(*of_it, refunds.c.reason.in_(SENT_BACK))
    return connection.execute(
        select(payments)
        .where(payments.c.order_no == order_no, payments.c.state == "settled", ~sent_back)
        .order_by(payments.c.settled_at_ms.desc(), payments.c.id)
    ).all()


def send(resources: Resources, refund_id: str) -> None:
    """Have a refund sent and finish it; what a provider has not done yet is tried again by `FollowUp`.

    Raises:
        SQLAlchemyError: the database is away; the providers will be asked again.
    """
    with reading(resources.engine) as connection:
        refund = connection.execute(select(refunds).where(refunds.c.id == refund_id)).one()
        if refund.state != "sending":
            return
        unsent = _unsent(connection, refund)
    done = [transfer.id for transfer in unsent if _transfer(resources, transfer)]
    with writing(resources.engine) as connection:
        order = views.find(connection, refund.order_no, lock=True)
        connection.execute(update(refund_transfers).where(refund_transfers.c.id.in_(done)).values(state="settled"))
        if len(done) < len(unsent) or not _finish(resources, connection, order, refund):
            return
    if refund.restock:
        back_on_sale(resources, refund.order_no)


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


def _parts(connection: Connection, order_no: str, amount: int) -> list[Source]:
    """An amount by payment, the latest first; of each no more than what it has left."""
    sent: Counter[str] = Counter()
    transfers = (
        select(refund_transfers.c.payment, refund_transfers.c.amount)
        .join(refunds, refunds.c.id == refund_transfers.c.refund)
        .where(refunds.c.order_no == order_no)
    )
    # The release before wrote no transfers: all of a refund went through one payment.
    alone = select(refunds.c.payment, refunds.c.amount).where(
        refunds.c.order_no == order_no,
        refunds.c.state.in_(("sending", "settled")),
        refunds.c.payment.is_not(None),
        ~exists().where(refund_transfers.c.refund == refunds.c.id),
    )
    for row in (*connection.execute(transfers), *connection.execute(alone)):
        sent[row.payment] += row.amount
    try:
        return amounts.divide(
            amount, ((row.id, row.amount - sent[row.id]) for row in that_paid(connection, order_no))
        )
    except ValueError as short:
        raise Conflict(
            f"the ledger has no payment of this order that the money could go back through: {short}",
            code="no_payment",
        ) from short


def _write_transfers(connection: Connection, refund_id: str, parts: Sequence[Source]) -> None:
    """The first has the refund's own id, under which the release before would ask for it."""
    rows = [
        {
            "id": f"tra_{secrets.token_urlsafe(18)}" if place else refund_id,
            "refund": refund_id,
            "payment": payment,
            "amount": amount,
            "state": "sending",
        }
        for place, (payment, amount) in enumerate(parts)
    ]
    if rows:
        connection.execute(insert(refund_transfers), rows)


def _unsent(connection: Connection, refund: Row[Any]) -> Sequence[Row[Any]]:
    about = payments.c.provider, payments.c.reference, payments.c.currency
    rows = connection.execute(
        select(refund_transfers, *about)
        .join(payments, payments.c.id == refund_transfers.c.payment)
        .where(refund_transfers.c.refund == refund.id)
    ).all()
    if not rows and refund.amount:
        # Written by the release before.
        rows = connection.execute(
            select(refunds.c.id, refunds.c.payment, refunds.c.amount, refunds.c.state, *about)
            .join(payments, payments.c.id == refunds.c.payment)
            .where(refunds.c.id == refund.id)
        ).all()
    return [row for row in rows if row.state == "sending"]


def _transfer(resources: Resources, row: Row[Any]) -> bool:
    """Ask a provider to send a part back; whether it is done."""
    asked = interface.Refund(row.id, row.payment, row.reference, row.amount, row.currency)
    try:
        return registry.named(resources, row.provider).give_back(asked)
    except ProviderAway as error:
        _log.warning("refund %s will be asked for again: %s", row.id, error)
        return False


def _finish(resources: Resources, connection: Connection, order: Row[Any], refund: Row[Any]) -> bool:
    """All money is back: what follows from it happens once, whoever comes first."""
    now = now_ms(connection)
    settled = connection.execute(
        update(refunds)
        .where(refunds.c.id == refund.id, refunds.c.state == "sending")
        .values(state="settled", settled_at_ms=now)
    ).rowcount
    if not settled:
        return False
    _tell(connection, "refund.settled", refund.id, refund.order_no, refund.amount, now)
    if refund.reason not in SENT_BACK:
        before = origin(connection, order.order_no)
        nothing_left = returning.give_up(resources, connection, order, refund, before, now)
        moved = states.move(
            connection,
            order.order_no,
            "refunding",
            "refunded" if nothing_left else before,
            actor="refund",
            at_ms=now,
            detail={"refund": refund.id, "units": refund.units, "amount": refund.amount},
        )
        assert moved, f"order {order.order_no} has a refund under way and is {order.status}"
    returning.tell(connection, order, refund, now)
    return True


def _tell(connection: Connection, kind: str, refund_id: str, order_no: str, amount: int, at_ms: int) -> None:
    connection.execute(
        insert(events).values(
            kind=kind, subject=order_no, at_ms=at_ms, body={"refund": refund_id, "amount": amount}
        )
    )

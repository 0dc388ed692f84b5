"""Who asks for money back, for which units, and who decides.

A refund pays back what its units cost, never computed anew. One is under way per order at a time: the order is
`refunding` meanwhile and holds its units, so no unit can be paid back twice.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection, Row, select, update

from admin.errors import Conflict, Invalid
from admin.groups import seats
from admin.inputs import ONE_LINE, UNSET
from admin.orders.ownership import wrong_state
from admin.payments import contents, earned, refunding
from admin.payments.amounts import Owed, owed
from admin.payments.choosing import RefundInput, chosen
from admin.payments.tables import refunds
from admin.presales.terms import terms_of, withdrawn_at_once
from admin.reservations import ledger
from gateway.orders import states
from gateway.orders.database import now_ms

WHOLE = ("deposit_paid", "balance_due", "awaiting_group")
"""States of orders that are paid back whole or not at all."""
FROM = ("paid", "shipped", "completed", *WHOLE)
"""States that money goes back from."""
NOTE_MAX = 500

Reason = Literal["asked", "group_failed", "balance_missed", "terminated"]


class RefundDecision(RefundInput):
    """The same for an operator, who may put the units back on sale. `note` says why, in the audit log."""

    restock: bool = False
    note: Annotated[str, Field(min_length=1, max_length=NOTE_MAX), ONE_LINE] = UNSET


def ask(connection: Connection, order: Row[Any], given: RefundInput) -> str | None:
    """A shopper wants money back for an order that this transaction has locked.

    Returns:
        The refund to send after the commit; None when an operator must agree first.

    Raises:
        Conflict: the order's state forbids it, or a unit is paid back already.
        Invalid: it has no such line or unit.
    """
    at_once = decided_at_once(connection, order)
    state = "sending" if at_once else "requested"
    refund = _begin(
        connection, order, work_out(connection, order, given), state=state, by="shopper", actor="shopper"
    )
    return refund if at_once else None


def start(connection: Connection, order: Row[Any], given: RefundDecision, *, by: str, actor: str) -> str:
    """An operator pays back, or agrees to what the shopper has asked for; the refund to send after the commit.

    Raises:
        Conflict: the order's state forbids it, or a unit is paid back already.
        Invalid: it has no such line or unit, or other ones than the shopper asked for.
    """
    if order.status != "refunding":
        what = work_out(connection, order, given)
        return _begin(connection, order, what, state="sending", by=by, actor=actor, restock=given.restock)
    refund = _requested(connection, order)
    if not given.whole and chosen(contents.read(connection, order), given) != refund.units:
        field = "units" if given.units else "lines"
        raise Invalid.one(field, "not_as_asked", f"the shopper asked for the units {refund.units}: agree or reject")
    refunding.divide(connection, refund.id, order.order_no, refund.amount)
    _decide(connection, refund, state="sending", restock=given.restock, decided_by=by)
    return str(refund.id)


def pay_back(
    connection: Connection, order: Row[Any], *, reason: Reason, actor: str, by: str | None = None
) -> str | None:
    """The shop itself pays back everything that is left of an order that this transaction has locked.

    Args:
        connection: a writing transaction.
        order: the order's row.
        reason: why.
        actor: who does it, for the order's history.
        by: who is written down with the refund, by default the actor.

    Returns:
        The refund to send after the commit; None when its money is on its way already, or it has none to give back.
    """
    if order.status not in FROM:
        return None
    what = work_out(connection, order, RefundInput.model_validate({}))
    return _begin(connection, order, what, state="sending", by=by or actor, actor=actor, reason=reason)


def reject(connection: Connection, order: Row[Any], *, by: str, actor: str) -> str:
    """An operator does not agree to what the shopper has asked for; the refund's id.

    Raises:
        Conflict: nothing waits for an operator.
    """
    refund = _requested(connection, order)
    _decide(connection, refund, state="rejected", decided_by=by)
    moved = states.move(
        connection,
        order.order_no,
        "refunding",
        refunding.origin(connection, order.order_no),
        actor=actor,
        at_ms=now_ms(connection),
        detail={"refund": refund.id, "rejected": True},
    )
    assert moved, f"order {order.order_no} is locked and was {order.status}"
    return str(refund.id)


def decided_at_once(connection: Connection, order: Row[Any]) -> bool:
    """Whether a shopper gets the money back without an operator."""
    if order.status in {"deposit_paid", "balance_due"}:
        return withdrawn_at_once(terms_of(connection, order.order_no))
    return order.status in {"paid", "awaiting_group"}


def work_out(connection: Connection, order: Row[Any], given: RefundInput) -> Owed:
    """What a refund of some units would pay back.

    Raises:
        Conflict: the order's state forbids it, or a unit is paid back already.
        Invalid: it has no such line or unit.
    """
    if order.status not in FROM:
        raise wrong_state(order, "only what is paid, and not being paid back, can be paid back")
    holds = contents.read(connection, order)
    units = chosen(holds, given)
    if order.status in WHOLE:
        if units != holds.held():
            raise Conflict(
                f"the order is {order.status}: it is paid back whole, so leave units and lines out",
                code="whole_only",
                state=order.status,
            )
        return Owed(units, sum(each.amount for each in refunding.that_paid(connection, order.order_no)))
    kept = earned.no_longer(connection, order.order_no, holds.without(units))
    return owed(holds, units, kept, refunding.paid_back(connection, order.order_no))


def _requested(connection: Connection, order: Row[Any]) -> Row[Any]:
    row = connection.execute(
        select(refunds).where(refunds.c.order_no == order.order_no, refunds.c.state == "requested")
    ).one_or_none()
    if row is None:
        raise wrong_state(order, "no refund waits for an operator")
    return row


def _decide(connection: Connection, refund: Row[Any], **values: Any) -> None:
    connection.execute(
        update(refunds).where(refunds.c.id == refund.id, refunds.c.state == "requested").values(**values)
    )


def _begin(
    connection: Connection,
    order: Row[Any],
    what: Owed,
    *,
    state: str,
    by: str,
    actor: str,
    restock: bool = False,
    reason: Reason = "asked",
) -> str:
    now = now_ms(connection)
    refund = refunding.write_down(
        connection, order.order_no, what, state=state, reason=reason, by=by, at_ms=now, restock=restock
    )
    moved = states.move(
        connection,
        order.order_no,
        order.status,
        "refunding",
        actor=actor,
        at_ms=now,
        detail={"refund": refund, "units": list(what.units)},
    )
    assert moved, f"order {order.order_no} is locked and was {order.status}"
    if order.status == "awaiting_group":
        # Somebody else may have the seat at once, wherever the money is.
        ledger.release(connection, order.order_no, kinds=("seat", "group_shopper"))
        seats.left(connection, order, now)
    return refund

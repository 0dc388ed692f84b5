"""Who asks for money back, for which units, and who decides.

A refund pays back what its units cost, never computed anew. One is under way per order at a time: the order is
`refunding` meanwhile and holds its units, so no unit can be paid back twice.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator
from sqlalchemy import Connection, Row, select, update

from admin.errors import Conflict, FieldError, Invalid
from admin.inputs import UNSET, Input, refuse
from admin.orders.ownership import wrong_state
from admin.payments import booking, refunding
from admin.payments.tables import refunds
from gateway.orders import states
from gateway.orders.database import now_ms
from gateway.orders.tables import order_units

FROM = ("paid", "shipped", "completed")
"""States that money goes back from."""
UNITS_MAX = 1000


class RefundLine(Input):
    """So many units of one line of the order, the lowest numbers first. A seckill order has one line."""

    line: int = Field(ge=1, le=UNITS_MAX)
    quantity: int = Field(ge=1, le=UNITS_MAX)


class RefundInput(Input):
    """What to pay back: units by number, or by line and quantity; without either, everything that is left."""

    units: list[int] = Field(UNSET, min_length=1, max_length=UNITS_MAX)
    lines: list[RefundLine] = Field(UNSET, min_length=1, max_length=UNITS_MAX)

    @model_validator(mode="after")
    def _one_way(self) -> RefundInput:
        if self.units is not None and self.lines is not None:
            raise refuse("ambiguous", "give units or lines, not both")
        return self


class RefundDecision(RefundInput):
    """The same for an operator, who may put the units back on sale."""

    restock: bool = False


def ask(connection: Connection, order: Row[Any], given: RefundInput) -> str | None:
    """A shopper wants money back for an order that this transaction has locked.

    Returns:
        The refund to send after the commit; None when an operator must agree first.

    Raises:
        Conflict: the order's state forbids it, or a unit is paid back already.
        Invalid: it has no such line or unit.
    """
    at_once = order.status == "paid"
    refund = _begin(connection, order, given, state="sending" if at_once else "requested", by="shopper")
    return refund if at_once else None


def start(connection: Connection, order: Row[Any], given: RefundDecision, *, by: str, actor: str) -> str:
    """An operator pays back, or agrees to what the shopper has asked for; the refund to send after the commit.

    Raises:
        Conflict: the order's state forbids it, or a unit is paid back already.
        Invalid: it has no such line or unit, or other ones than the shopper asked for.
    """
    if order.status != "refunding":
        return _begin(connection, order, given, state="sending", by=by, actor=actor, restock=given.restock)
    refund = _requested(connection, order)
    if (given.units or given.lines) and _chosen(connection, order, given) != refund.units:
        field = "units" if given.units else "lines"
        raise Invalid.one(field, "not_as_asked", f"the shopper asked for the units {refund.units}: agree or reject")
    _decide(connection, refund, state="sending", restock=given.restock, decided_by=by)
    return str(refund.id)


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
    given: RefundInput,
    *,
    state: str,
    by: str,
    actor: str = "shopper",
    restock: bool = False,
) -> str:
    if order.status not in FROM:
        raise wrong_state(order, "only what is paid, and not being paid back, can be paid back")
    units = _chosen(connection, order, given)
    paid = booking.that_paid(connection, order.order_no)
    if not paid:
        raise Conflict("the ledger has no payment of this order", code="no_payment", state=order.status)
    now = now_ms(connection)
    refund = refunding.write_down(
        connection,
        paid[0],
        units,
        order.price * len(units),
        state=state,
        reason="asked",
        by=by,
        at_ms=now,
        restock=restock,
    )
    moved = states.move(
        connection,
        order.order_no,
        order.status,
        "refunding",
        actor=actor,
        at_ms=now,
        detail={"refund": refund, "units": units},
    )
    assert moved, f"order {order.order_no} is locked and was {order.status}"
    return refund


def _chosen(connection: Connection, order: Row[Any], given: RefundInput) -> list[int]:
    """The units to pay back, in ascending order."""
    rows = connection.execute(
        select(order_units.c.unit, order_units.c.active)
        .where(order_units.c.order_no == order.order_no)
        .order_by(order_units.c.unit)
    ).all()
    held = [row.unit for row in rows if row.active]
    if given.units is not None:
        _check_units(given.units, {row.unit for row in rows})
        gone = sorted(set(given.units) - set(held))
        if gone:
            raise Conflict(f"paid back already: {gone}", code="already_refunded", units=gone)
        return sorted(given.units)
    if given.lines is not None:
        _check_lines(given.lines)
        quantity = given.lines[0].quantity
        if quantity > len(held):
            raise Conflict(f"only {len(held)} units are left to pay back", code="too_many", left=len(held))
        return held[:quantity]
    return held


def _check_units(wanted: list[int], there: set[int]) -> None:
    problems = []
    for position, unit in enumerate(wanted):
        if unit not in there:
            problems.append(FieldError(f"units.{position}", "no_such_unit", "the order never had this unit"))
        elif unit in wanted[:position]:
            problems.append(FieldError(f"units.{position}", "repeated", "given more than once"))
    if problems:
        raise Invalid(problems)


def _check_lines(wanted: list[RefundLine]) -> None:
    problems = []
    for position, each in enumerate(wanted):
        if each.line != 1:
            problems.append(FieldError(f"lines.{position}.line", "no_such_line", "the order has one line"))
        elif position:
            problems.append(FieldError(f"lines.{position}.line", "repeated", "given more than once"))
    if problems:
        raise Invalid(problems)

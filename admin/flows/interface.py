"""What is special about orders that come from one place: what they owe, and what follows from paying or not.

Every function is called in a writing transaction that has locked the order (`views.find(lock=True)`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row

from admin.errors import Conflict
from admin.orders.ownership import wrong_state
from admin.resources import Resources
from gateway.orders import states

Purpose = Literal["full", "deposit", "balance"]


@dataclass(frozen=True, slots=True)
class Due:
    """Money that may be paid now, until an instant (epoch ms)."""

    amount: int
    purpose: Purpose
    until_ms: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Money that has come: what it was asked for, through which payment, when (database time, epoch ms).

    An order that costs nothing is paid without a payment.
    """

    purpose: Purpose
    payment: str | None
    at_ms: int

    def move(self, connection: Connection, order: Row[Any], before: str, after: str) -> bool:
        """Bring the order a state further, if it is where this money counts; `paid` is when all of it is there."""
        when = {"paid_at_ms": self.at_ms} if after == "paid" else {}
        return states.move(
            connection,
            order.order_no,
            before,
            after,
            actor="payment",
            at_ms=self.at_ms,
            detail={"payment": self.payment},
            **when,
        )


def _nothing_comes(_resources: Resources, _connection: Connection, _order: Row[Any], _now_ms: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Flow:
    """One way to an order.

    `due` says what may be paid now, or raises `Conflict`. `take` lets money in that has come, and says whether the
    order could use it; what it cannot use goes back. `let_go` gives up what an order held that ended unpaid, after
    its state has changed, at an instant of the database. `catch_up` does what the clock has brought meanwhile to
    whoever comes before the rounds do, and says whether that was anything.
    """

    name: str
    due: Callable[[Resources, Connection, Row[Any], int], Due]
    take: Callable[[Resources, Connection, Row[Any], Arrived], bool]
    let_go: Callable[[Connection, Row[Any], int], None]
    settled: frozenset[str] = frozenset({"paid", "shipped", "completed"})
    """States in which there is nothing to pay for the moment, so that paying once more changes nothing."""
    catch_up: Callable[[Resources, Connection, Row[Any], int], bool] = _nothing_comes


def first_due(resources: Resources, order: Row[Any], now_ms: int, amount: int, purpose: Purpose) -> Due:
    """What a pending order owes, until its time to pay is over.

    Raises:
        Conflict: it is not pending, or too late.
    """
    if order.status == "expired" or (order.status == "pending" and now_ms >= order.expire_at_ms):
        raise Conflict(
            f"the time to pay ended at {resources.iso(order.expire_at_ms)}",
            code="order_expired",
            state=order.status,
        )
    if order.status != "pending":
        raise wrong_state(order, "only a pending order can be paid")
    return Due(amount, purpose, order.expire_at_ms)


def due_in_full(resources: Resources, _connection: Connection, order: Row[Any], now_ms: int) -> Due:
    """What an order owes that is paid at once.

    Raises:
        Conflict: it is not pending, or too late.
    """
    return first_due(resources, order, now_ms, order.total, "full")

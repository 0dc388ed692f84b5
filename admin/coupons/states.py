"""A coupon's state, derived from its window and the act of ending; and what may change in which state."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, not_, or_

from admin.coupons.tables import coupons
from admin.errors import Conflict
from admin.promotions.coupon import CouponFields

State = Literal["not_started", "running", "ended"]

_RAISABLE = frozenset({"per_shopper", "total"})


def state_of(row: Row[Any], now_ms: int) -> State:
    """The state at an instant."""
    if row.ended_at_ms is not None or row.ends_at_ms <= now_ms:
        return "ended"
    return "not_started" if row.starts_at_ms > now_ms else "running"


def in_state(state: State, now_ms: int) -> ColumnElement[bool]:
    """The same as a condition on the table, so that lists can be filtered where they are paged."""
    table = coupons.c
    ended = or_(table.ended_at_ms.is_not(None), table.ends_at_ms <= now_ms)
    conditions: dict[State, ColumnElement[bool]] = {
        "ended": ended,
        "not_started": and_(not_(ended), table.starts_at_ms > now_ms),
        "running": and_(not_(ended), table.starts_at_ms <= now_ms),
    }
    return conditions[state]


def check_change(state: State, before: CouponFields, after: CouponFields, now_ms: int) -> None:
    """Refuse a change that the state does not allow.

    Raises:
        Conflict: naming the state and the first field.
    """
    if state == "not_started":
        return
    for name in CouponFields.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        allowed = state == "running" and (
            name == "name"
            or (name == "ends_at" and new > now_ms)
            # No limit is the largest of all.
            or (name in _RAISABLE and old is not None and (new is None or new > old))
        )
        if not allowed:
            raise Conflict(
                f"{name} cannot change like this while the coupon is {state}",
                code="not_changeable",
                state=state,
                field=name,
            )


def require(state: State, allowed: tuple[State, ...], what: str) -> None:
    """Refuse an action that the state does not allow.

    Raises:
        Conflict: naming the state.
    """
    if state not in allowed:
        raise Conflict(f"a coupon that is {state} cannot {what}", code="wrong_state", state=state)

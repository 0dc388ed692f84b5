"""A campaign's state, derived from its flags and the window; and what may change in which state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, false, not_, or_

from admin.campaigns.tables import campaigns
from admin.errors import Conflict
from admin.promotions.model import PromotionType

State = Literal["draft", "ended", "paused", "not_started", "running"]
OPEN: tuple[State, ...] = ("draft", "not_started")
"""States in which anything may change."""
LIVE: tuple[State, ...] = ("not_started", "running", "paused")
"""States of a campaign that is published and not over."""

_FREE = frozenset({"name", "slogan", "label", "texts", "exclude"})
"""Fields that may change while a campaign runs. Items are judged one by one."""


def state_of(row: Row[Any], now_ms: int) -> State:
    """The state at an instant."""
    if row.draft:
        return "draft"
    if row.terminated_at_ms is not None or row.ends_at_ms <= now_ms:
        return "ended"
    if row.paused:
        return "paused"
    return "not_started" if row.starts_at_ms > now_ms else "running"


def in_state(state: State, now_ms: int) -> ColumnElement[bool]:
    """The same as a condition on the table, so that lists can be filtered where they are paged."""
    table = campaigns.c
    published = table.draft == false()
    ended = and_(published, or_(table.terminated_at_ms.is_not(None), table.ends_at_ms <= now_ms))
    alive = and_(published, not_(ended))
    conditions: dict[State, ColumnElement[bool]] = {
        "draft": not_(published),
        "ended": ended,
        "paused": and_(alive, table.paused),
        "not_started": and_(alive, not_(table.paused), table.starts_at_ms > now_ms),
        "running": and_(alive, not_(table.paused), table.starts_at_ms <= now_ms),
    }
    return conditions[state]


def require(state: State, allowed: Iterable[State], what: str) -> None:
    """Refuse an action that the state does not allow.

    Raises:
        Conflict: naming the state.
    """
    if state not in allowed:
        raise Conflict(f"a campaign that is {state} cannot {what}", code="wrong_state", state=state)


def check_change(
    promotion: PromotionType, state: State, before: Mapping[str, Any], after: Mapping[str, Any], now_ms: int
) -> None:
    """Refuse a change of the campaign's own fields that its state does not allow.

    Raises:
        Conflict: naming the state and the first field.
    """
    if state in OPEN:
        return
    for name in after:
        if before[name] == after[name]:
            continue
        if state == "ended":
            raise locked(state, name)
        if name in _FREE or name == "items":
            continue
        if name == "ends_at" and after[name] is not None and after[name] > now_ms:
            continue
        if name in {"rule", "limits"}:
            field = _locked_part(promotion, name, before[name] or {}, after[name] or {})
            if field is None:
                continue
        else:
            field = name
        raise locked(state, field)


def _locked_part(
    promotion: PromotionType, name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> str | None:
    for part in sorted({*before, *after}):
        old, new = before.get(part), after.get(part)
        field = f"{name}.{part}"
        may_grow = name == "limits" or field in promotion.raisable
        # No limit is the largest of all.
        grows = may_grow and old is not None and (new is None or new > old)
        if old != new and not grows:
            return field
    return None


def locked(state: State, field: str) -> Conflict:
    """The refusal to change a field."""
    return Conflict(
        f"{field} cannot change while the campaign is {state}", code="not_changeable", state=state, field=field
    )

"""Memberships that shoppers have bought and that have not ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import BindParameter, ColumnElement, Connection, ScalarSelect, and_, func, select

from admin.memberships.tables import membership_grants

_GRANTS = membership_grants.c


@dataclass(frozen=True, slots=True)
class Held:
    """A level that somebody has bought, and until when: one after the other, all of that level are counted."""

    level: int
    until_ms: int


def lasting(now_ms: int | BindParameter[int]) -> ColumnElement[bool]:
    """The condition that a grant sets a level at an instant."""
    return and_(~_GRANTS.revoked, _GRANTS.starts_at_ms <= now_ms, _GRANTS.ends_at_ms > now_ms)


def bought_level(
    shopper: ColumnElement[str] | BindParameter[str], now_ms: int | BindParameter[int]
) -> ScalarSelect[int]:
    """The highest level that a shopper has bought for an instant; null when there is none."""
    highest = select(func.max(_GRANTS.level)).where(_GRANTS.shopper == shopper, lasting(now_ms))
    return highest.scalar_subquery()


def held(connection: Connection, shoppers: Collection[str], now_ms: int) -> dict[str, list[Held]]:
    """Every level that shoppers have bought for an instant, the highest first; absent: none."""
    found: dict[str, list[Held]] = {}
    rows = connection.execute(
        select(_GRANTS.shopper, _GRANTS.level, func.max(_GRANTS.ends_at_ms).label("until_ms"))
        .where(_GRANTS.shopper.in_(shoppers), ~_GRANTS.revoked, _GRANTS.ends_at_ms > now_ms)
        .group_by(_GRANTS.shopper, _GRANTS.level)
        .order_by(_GRANTS.shopper, _GRANTS.level.desc())
    )
    for row in rows:
        found.setdefault(row.shopper, []).append(Held(row.level, row.until_ms))
    return found

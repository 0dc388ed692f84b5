"""Telling shoppers something, in the transaction that makes it true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from admin.notices.models import Kind
from admin.notices.tables import notices
from gateway.orders.bulk import insert

Told = tuple[str, Kind, Mapping[str, Any], str, int]
"""Shopper, kind, data, cause and instant (epoch ms) of a notice."""


def notify(
    connection: Connection, shopper: str, kind: Kind, data: Mapping[str, Any], cause: str, at_ms: int
) -> None:
    """Tell a shopper something, once per cause whoever says it again.

    Args:
        connection: a writing transaction.
        shopper: who is told.
        kind: what is told.
        data: JSON; `docs/events.md` says what belongs to each kind.
        cause: such as "reminder:12"; at most 120 characters.
        at_ms: database time, epoch ms.
    """
    notify_all(connection, [(shopper, kind, data, cause, at_ms)])


def notify_all(connection: Connection, told: Sequence[Told]) -> None:
    """The same for many notices at once."""
    if told:
        insert(connection, notices, told, skip=True)

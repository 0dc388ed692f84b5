"""The seats of a group: what changes when one is paid for or given up. The group's row is locked by the caller."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from admin.resources import Resources


def paid(resources: Resources, connection: Connection, group: str, at_ms: int) -> None:
    """One more seat of a group is paid for; with the last one the group is full and its orders are paid."""
    del resources, connection, group, at_ms


def left(connection: Connection, order: Row[Any], at_ms: int) -> None:
    """An order has given up its seat; when it was the leader's, the next shopper leads."""
    del connection, order, at_ms

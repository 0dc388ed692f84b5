"""What paid products make of their buyer, and what refunds take away again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from admin.resources import Resources


def grant(resources: Resources, connection: Connection, order: Row[Any], at_ms: int) -> None:
    """Grant the memberships of an order that has just been paid in full, from an instant on (epoch ms)."""
    del resources, connection, order, at_ms

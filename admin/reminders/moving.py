"""Reminders of an offer whose start moves. Called in the transaction that moves it."""

from __future__ import annotations

from sqlalchemy import Connection, update

from admin.reminders.tables import reminders


def follow(connection: Connection, offer: str, starts_at_ms: int) -> None:
    """Make what is still waiting due at the same distance before the new start (epoch ms)."""
    connection.execute(
        update(reminders)
        .where(reminders.c.offer == offer, reminders.c.state == "waiting")
        .values(due_at_ms=starts_at_ms - reminders.c.before_ms)
    )

"""Writing the audit log, inside the transaction of the change it tells of, and reading it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, insert, select

from admin.audit.tables import audit
from admin.inputs import QueryInstant, QueryText
from admin.paging import Page, read_cursor, split, write_cursor
from admin.resources import Resources
from gateway.orders.database import now_ms, reading


class AuditFilter(Page):
    """Which changes to show. Both instants belong to the range."""

    actor: QueryText | None = None
    action: QueryText | None = None
    kind: QueryText | None = None
    subject: QueryText | None = None
    since: Annotated[QueryInstant | None, Field(description="not before this instant")] = None
    until: Annotated[QueryInstant | None, Field(description="not after this instant")] = None


class AuditRecord(BaseModel):
    """One change. `before` is null for what was made, `after` for what was deleted."""

    id: int
    at: str
    actor: str
    action: str
    kind: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditPage(BaseModel):
    """Changes, newest first."""

    items: list[AuditRecord]
    next: str | None


def record(
    connection: Connection,
    actor: str,
    action: str,
    kind: str,
    subject: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Note one change."""
    connection.execute(
        insert(audit).values(
            at_ms=now_ms(connection),
            actor=actor,
            action=action,
            kind=kind,
            subject=subject,
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )


def page(resources: Resources, wanted: AuditFilter) -> AuditPage:
    """A page of the log.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int)
    statement = select(audit).order_by(audit.c.id.desc()).limit(wanted.limit + 1)
    if position is not None:
        statement = statement.where(audit.c.id < position[0])
    for name in ("actor", "action", "kind", "subject"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(audit.c[name] == value)
    if wanted.since is not None:
        statement = statement.where(audit.c.at_ms >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(audit.c.at_ms <= wanted.until)
    with reading(resources.engine) as connection:
        rows = connection.execute(statement).all()
    shown, last = split(rows, wanted.limit)
    items = [
        AuditRecord(
            id=row.id,
            at=resources.iso(row.at_ms),
            actor=row.actor,
            action=row.action,
            kind=row.kind,
            subject=row.subject,
            before=row.before,
            after=row.after,
        )
        for row in shown
    ]
    return AuditPage(items=items, next=write_cursor(last.id) if last is not None else None)

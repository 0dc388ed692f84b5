"""The record of an import: begun, brought up to date while it runs, and shown."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import Connection, Row, delete, insert, select, update

from admin.errors import NotFound
from admin.paging import Page, read_cursor, split, write_cursor
from admin.resources import Resources
from admin.sheets.model import RowError
from admin.sheets.tables import imports
from gateway.orders.database import now_ms, reading

ERRORS_TOLD = 200
"""Errors kept of one import; all are counted."""
SILENT_MS = 60_000
"""A running import that was silent for so long has lost its process."""
KEPT_MS = 30 * 86_400_000

State = Literal["running", "done", "refused", "failed", "interrupted"]


@dataclass(slots=True)
class Progress:
    """How far an import is. In a dry run `made`, `changed` and `unchanged` say what would be."""

    id: str
    rows_total: int
    state: State = "running"
    rows_done: int = 0
    made: int = 0
    changed: int = 0
    unchanged: int = 0
    error_count: int = 0
    errors: list[RowError] = field(default_factory=list)
    problem: str | None = None

    def complain(self, errors: list[RowError]) -> None:
        """Count errors, and keep the first."""
        self.error_count += len(errors)
        self.errors += errors[: max(0, ERRORS_TOLD - len(self.errors))]


class RowProblem(BaseModel):
    """A broken rule in a row. The header is row 1, as spreadsheets count."""

    row: int
    field: str
    code: str
    message: str


class Import(BaseModel):
    """An import. `refused`: rows have errors, so nothing was stored. `interrupted`: its process has ended.

    `created`, `changed` and `unchanged` count rows; in a dry run, what would be.
    """

    id: str
    sheet: str
    state: State
    dry_run: bool
    partial: bool
    rows_total: int
    rows_done: int
    created: int
    changed: int
    unchanged: int
    error_count: int
    errors: list[RowProblem]
    problem: str | None
    actor: str
    created_at: str
    updated_at: str


class ImportFilter(Page):
    """The query parameters of the list."""


class ImportPage(BaseModel):
    """Imports, newest first."""

    items: list[Import]
    next: str | None


def begin(connection: Connection, sheet: str, rows: int, *, actor: str, dry_run: bool, partial: bool) -> Progress:
    """Note that an import begins. Those that ended long ago are forgotten."""
    now = now_ms(connection)
    connection.execute(delete(imports).where(imports.c.updated_at_ms < now - KEPT_MS))
    progress = Progress(secrets.token_hex(12), rows)
    connection.execute(
        insert(imports).values(
            id=progress.id,
            sheet=sheet,
            actor=actor,
            dry_run=dry_run,
            partial=partial,
            created_at_ms=now,
            **_columns(progress, now),
        )
    )
    return progress


def save(connection: Connection, progress: Progress) -> None:
    """Bring the record up to date."""
    values = _columns(progress, now_ms(connection))
    connection.execute(update(imports).where(imports.c.id == progress.id).values(values))


def read(resources: Resources, import_id: str) -> Import:
    """One import.

    Raises:
        NotFound: there is none with this id, or it was forgotten.
    """
    with reading(resources.engine) as connection:
        row = connection.execute(select(imports).where(imports.c.id == import_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no import {import_id}")
        return _view(resources, row, now_ms(connection))


def page(resources: Resources, wanted: ImportFilter) -> ImportPage:
    """A page of imports, newest first.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int, str)
    order = imports.c.created_at_ms.desc(), imports.c.id
    statement = select(imports).order_by(*order).limit(wanted.limit + 1)
    if position is not None:
        at_ms, last_id = position
        same = (imports.c.created_at_ms == at_ms) & (imports.c.id > last_id)
        statement = statement.where((imports.c.created_at_ms < at_ms) | same)
    with reading(resources.engine) as connection:
        now = now_ms(connection)
        rows = connection.execute(statement).all()
    shown, last = split(rows, wanted.limit)
    return ImportPage(
        items=[_view(resources, row, now) for row in shown],
        next=write_cursor(last.created_at_ms, last.id) if last is not None else None,
    )


def _columns(progress: Progress, now_ms: int) -> dict[str, Any]:
    return {
        "state": progress.state,
        "rows_total": progress.rows_total,
        "rows_done": progress.rows_done,
        "made": progress.made,
        "changed": progress.changed,
        "unchanged": progress.unchanged,
        "error_count": progress.error_count,
        "errors": [each.as_json() for each in progress.errors],
        "problem": progress.problem,
        "updated_at_ms": now_ms,
    }


def _view(resources: Resources, row: Row[Any], now_ms: int) -> Import:
    silent = row.state == "running" and row.updated_at_ms < now_ms - SILENT_MS
    return Import(
        id=row.id,
        sheet=row.sheet,
        state="interrupted" if silent else row.state,
        dry_run=row.dry_run,
        partial=row.partial,
        rows_total=row.rows_total,
        rows_done=row.rows_done,
        created=row.made,
        changed=row.changed,
        unchanged=row.unchanged,
        error_count=row.error_count,
        errors=[RowProblem(**each) for each in row.errors],
        problem=row.problem,
        actor=row.actor,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )

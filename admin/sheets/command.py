"""Importing a file from the command line, with a bar that shows how far it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from admin import migrations
from admin.errors import AdminError, Invalid
from admin.sheets import files, importing
from admin.sheets.importing import Order
from admin.sheets.record import Progress
from admin.sheets.registry import SHEETS
from gateway.errors import SettingsError
from gateway.orders.database import open_engine, reading
from gateway.orders.pacing import one_line
from gateway.settings import Settings

ACTOR = "command"
"""Under this name the audit log has it."""


def run(settings: Settings, sheet: str, path: Path, *, dry_run: bool, partial: bool) -> tuple[str, bool]:
    """Import a file: what to print, and whether it has no errors. The bar goes to standard error.

    Raises:
        SettingsError: the file or the database cannot be used; nothing was stored, or (partial) not all.
    """
    try:
        engine = open_engine(settings.database_url)
        try:
            with reading(engine) as connection:
                lacking = migrations.lacks(connection)
            if lacking is not None:
                raise SettingsError(lacking)
            with path.open("rb") as file:
                survey = files.survey(SHEETS[sheet], file)
                order = Order(SHEETS[sheet], file, survey, ACTOR, dry_run=dry_run, partial=partial)
                progress = _import(engine, order)
        finally:
            engine.dispose()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except Invalid as error:
        told = "; ".join(f"{each.field}: {each.message}" for each in error.errors)
        raise SettingsError(f"{path}: {told}") from error
    except AdminError as error:
        raise SettingsError(f"{path}: {error.detail}") from error
    except (SQLAlchemyError, ImportError) as error:
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {one_line(error)}") from error
    return _told(progress, dry_run=dry_run), progress.error_count == 0


def _import(engine: Engine, order: Order) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Bars(*columns, console=Console(stderr=True)) as bars:
        judged = bars.add_task("judged", total=order.survey.rows)
        stored = None if order.dry_run else bars.add_task("stored", total=order.survey.rows)

        def told(progress: Progress) -> None:
            bars.update(judged, completed=progress.rows_done)
            if stored is not None:
                bars.update(stored, completed=progress.made + progress.changed + progress.unchanged)

        progress = importing.begin(engine, order)
        importing.run(engine, replace(order, told=told), progress)
        return progress


def _told(progress: Progress, *, dry_run: bool) -> str:
    lines = [f"row {each.row}: {each.field + ': ' if each.field else ''}{each.message}" for each in progress.errors]
    if progress.error_count > len(progress.errors):
        lines.append(f"and {progress.error_count - len(progress.errors)} more errors")
    counts = f"{progress.made} created, {progress.changed} changed, {progress.unchanged} unchanged"
    if progress.state == "refused":
        lines.append(f"nothing was imported: {progress.error_count} errors in {progress.rows_total} rows")
    elif dry_run:
        lines.append(f"nothing was stored (dry run); it would be: {counts}")
    else:
        lines.append(f"imported: {counts}, {progress.error_count} errors")
    return "\n".join(lines)

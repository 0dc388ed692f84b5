"""Making a batch of coupon codes from the command line, with a bar that shows how far it is."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfileobj
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from admin import migrations
from admin.coupons import batches
from admin.coupons.making import make_some
from admin.errors import AdminError, Invalid
from gateway.errors import SettingsError
from gateway.orders.database import open_engine, reading
from gateway.orders.pacing import one_line
from gateway.settings import Settings

ACTOR = "command"
"""Under this name the audit log has it."""


def run(settings: Settings, coupon: str, count: int, prefix: str, out: Path | None) -> str:
    """Make codes and say where they are. The bar goes to standard error.

    Raises:
        SettingsError: the coupon, the file or the database cannot be used. A batch that has begun is finished by
            the sidecar.
    """
    try:
        if out is not None:
            # Said now, not when the codes are made.
            out.open("ab").close()
        engine = open_engine(settings.database_url)
        try:
            return _run(engine, coupon, {"count": count, "prefix": prefix}, out)
        finally:
            engine.dispose()
    except OSError as error:
        raise SettingsError(f"{out} cannot be written: {error.strerror}") from error
    except Invalid as error:
        told = "; ".join(f"{each.field}: {each.message}" for each in error.errors)
        raise SettingsError(told) from error
    except AdminError as error:
        raise SettingsError(error.detail) from error
    except (SQLAlchemyError, ImportError) as error:
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {one_line(error)}") from error


def _run(engine: Engine, coupon: str, wish: dict[str, Any], out: Path | None) -> str:
    with reading(engine) as connection:
        lacking = migrations.lacks(connection)
    if lacking is not None:
        raise SettingsError(lacking)
    batch = batches.begin(engine, coupon, wish, actor=ACTOR)["id"]
    _make(engine, batch, wish["count"])
    told = f"made {wish['count']} codes of {coupon}: batch {batch}"
    if out is None:
        return f"{told}; GET /admin/api/coupons/{coupon}/codes/{batch}.csv has them"
    with batches.export(engine, coupon, batch) as file, out.open("wb") as target:
        file.seek(0)
        copyfileobj(file, target)
    return f"{told}, in {out}"


def _make(engine: Engine, batch: str, count: int) -> None:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("made", total=count)
        made = 0
        while made < count:
            row = make_some(engine, batch)
            if row is None:
                raise SettingsError("the coupon was deleted meanwhile")
            made = row.made
            bars.update(bar, completed=made)

"""Exporting a sheet: into a temporary file first, so its size is known and no transaction waits for a reader."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from sqlalchemy import select

from admin.resources import Resources
from admin.sheets.cells import guard
from admin.sheets.files import ENCODING
from admin.sheets.model import TOGETHER, Column, Sheet
from admin.sheets.sending import SPOOLED_BYTES
from gateway.orders.database import reading


def export(resources: Resources, sheet: Sheet, *, mark: bool) -> IO[bytes]:
    """Everything as CSV, by key, in a file to be closed by the caller. `mark`: with a byte order mark.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    file: IO[bytes] = SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - the caller closes it
    text = io.TextIOWrapper(file, ENCODING if mark else "utf-8", newline="")
    write = csv.writer(text).writerow
    with reading(resources.engine) as connection:
        columns = sheet.exported(connection)
        write([guard(each.name) for each in columns])
        statement = select(sheet.table).order_by(sheet.table.c[sheet.key])
        for row in connection.execute(statement, execution_options={"yield_per": TOGETHER}):
            shown = sheet.shown(resources, row)
            write([guard(_cell(column, shown)) for column in columns])
    text.detach()
    return file


def _cell(column: Column, shown: Mapping[str, Any]) -> str:
    value: Any = shown
    for name in column.path:
        value = value.get(name) if value else None
    return column.show(value) if value is not None else ""

"""A list as a file for spreadsheets."""

from __future__ import annotations

import codecs
from typing import Any

from starlette_admin.export import CsvExporter


class Spreadsheet(CsvExporter):
    """CSV that begins with a byte order mark, without which Excel takes it for another encoding."""

    async def generate(self, fields: list[Any], rows: list[dict[str, Any]]) -> bytes:
        """The file."""
        return codecs.BOM_UTF8 + await super().generate(fields, rows)

"""Sending CSV: into a temporary file first, so that its size is known and no transaction waits for a reader."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from starlette.responses import StreamingResponse

from admin.sheets.cells import guard

CSV = "text/csv"
SPOOLED_BYTES = 1024 * 1024
"""A file waits in memory up to this size."""
_PIECE_BYTES = 65_536


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file piece by piece from its start; it is closed after the last."""
    with file:
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece


def as_reply(file: IO[bytes], name: str) -> StreamingResponse:
    """A file that was written to its end, as one to be saved."""
    headers = {"Content-Length": str(file.tell()), "Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(pieces(file), headers=headers, media_type=CSV)


def table(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingResponse:
    """Rows under their head; None is an empty cell."""
    file: IO[bytes] = SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - closed by whoever reads it
    text = io.TextIOWrapper(file, "utf-8", newline="")
    write = csv.writer(text).writerow
    write(head)
    for row in rows:
        write(["" if value is None else guard(str(value)) for value in row])
    text.detach()
    return as_reply(file, name)

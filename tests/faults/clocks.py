"""Stepping the clock of single processes: libfaketime reads the step from a file, so it can change in mid-sale."""

from __future__ import annotations

import time
from pathlib import Path

from tests.conftest import need

PLACES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)


class Clock:
    """The clock of the processes that are given its `variables`; time that only measures is untouched."""

    def __init__(self, file: Path) -> None:
        library = next((place for place in PLACES if Path(place).exists()), None) or need("libfaketime (faketime)")
        self._file = file
        self.step(0)
        self.variables = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # A reader of the file that finds it half written must not wait for ever.
            "FAKETIME_DONT_RESET": "1",
        }

    def step(self, seconds: float) -> None:
        """From now on these processes are so far ahead (or behind, when negative)."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        new.replace(self._file)
        self.stepped_s = time.monotonic()

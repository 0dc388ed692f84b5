"""Where Chromium is, and how it is started here."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")

CHROMIUM_ARGUMENTS = ["--no-sandbox"] if os.geteuid() == 0 else []
"""Containers give root no namespaces for the sandbox."""


def chromium() -> str | None:
    """Chromium's path, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)

"""Where Chromium is, and how it is started here."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first one that is there; the shell has no window to draw, and takes two thirds of the time."""

CHROMIUM_ARGUMENTS = ["--no-sandbox"] if os.geteuid() == 0 else []
"""Containers give root no namespaces for the sandbox."""


def chromium() -> str | None:
    """Chromium's path, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)

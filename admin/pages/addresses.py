"""Where a page may send somebody: only to another page of ours."""

from __future__ import annotations

from urllib.parse import urlsplit


def local(path: str) -> str:
    """A path to go to, if it is one of this site; else the home page."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    elsewhere = bool(parts.scheme or parts.netloc) or path.startswith("//") or "\\" in path
    return path if path.startswith("/") and not elsewhere and path.isprintable() else "/"

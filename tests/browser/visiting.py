"""Opening a fresh browser whose complaints are heard."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Page

PATIENCE_MS = 8000


def watched(browser: Browser, complaints: list[str], **options: Any) -> Page:
    """A page in a browser of its own; what it says on its console is added to `complaints`."""
    # Without a graphics card every frame of an animation costs the other processes.
    usual = {"locale": "en-US", "viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
    context = browser.new_context(**usual | options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page

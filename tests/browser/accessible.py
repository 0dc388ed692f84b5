"""What keeps people from using a page, found by axe-core."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = {"serious", "critical"}
ONLY = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


def assert_accessible(page: Page) -> None:
    """No serious finding on the page as it is now, and nothing that makes it scroll sideways."""
    page.wait_for_load_state()  # a document that has only begun lacks its title
    found = Axe().run(page, options=ONLY).response["violations"]
    told = [
        f"{each['impact']}: {each['help']} at {', '.join(str(node['target'][0]) for node in each['nodes'][:4])}"
        for each in found
        if each["impact"] in SERIOUS
    ]
    assert told == [], told
    width, shown = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= shown, f"{page.url} is {width} px wide and shown on {shown} px"

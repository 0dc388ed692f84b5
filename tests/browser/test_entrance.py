"""The way into the back office, and what each role may do behind it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House

Enter = Callable[..., Page]


def test_a_wrong_password_is_told_and_the_name_is_not_given_away(
    house: House, visit: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    page = visit()
    page.goto(f"{house.url}/admin/")
    expect(page).to_have_url(re.compile(r"/admin/login\?next="))
    assert_accessible(page)
    for name in ("owner", "nobody"):
        page.fill("[name=username]", name)
        page.fill("[name=password]", "not the password")
        page.click("button[type=submit]")
        expect(page.get_by_text("name and password do not fit")).to_be_visible()
    forgiving()


def test_the_language_follows_the_browser_and_the_switch(enter: Enter, house: House) -> None:
    page = enter("viewer", locale="zh-TW")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    page.get_by_role("link", name="English").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert_accessible(page)

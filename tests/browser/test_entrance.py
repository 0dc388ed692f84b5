"""The way into the back office, and what each role may do behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import PASSWORD, House

Enter = Callable[..., Page]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "zh-TW"}


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


@pytest.mark.soak
def test_wrong_passwords_lock_the_door_and_keep_the_name(
    house: House, visit: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    house.api("POST", "/operators", {"name": "forgetful", "role": "viewer", "password": PASSWORD})
    page = visit(**PHONE)
    page.goto(f"{house.url}/admin/login")
    page.fill("[name=username]", "forgetful")
    for told in (*["不符"] * 5, "太多次"):
        page.fill("[name=password]", "not the password")
        page.click("button[type=submit]")
        expect(page.get_by_role("alert")).to_contain_text(told)
        expect(page.locator("[name=username]")).to_have_value("forgetful")
    # The right one is not looked at either, until some minutes have passed.
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_be_visible()
    assert_accessible(page)
    forgiving()


def test_who_is_signed_out_comes_back_to_the_same_page(house: House, visit: Callable[..., Page]) -> None:
    house.api("POST", "/operators", {"name": "returning", "role": "viewer", "password": PASSWORD})
    page = visit()

    def sign_in() -> None:
        page.fill("[name=username]", "returning")
        page.fill("[name=password]", PASSWORD)
        page.click("button[type=submit]")

    page.goto(f"{house.url}/admin/orders")
    sign_in()
    expect(page).to_have_url(f"{house.url}/admin/orders")
    # An owner gives them another role, which ends their sessions.
    house.api("PATCH", "/operators/returning", {"role": "editor"})
    page.reload()
    expect(page).to_have_url(re.compile(r"/admin/login\?next="))
    sign_in()
    expect(page).to_have_url(f"{house.url}/admin/orders")


def test_sessions_ask_the_api_by_role_and_with_the_proof_of_their_page(
    enter: Enter, forgiving: Callable[[], None]
) -> None:
    send = """async (proven) => {
      const proof = {"X-CSRF-Token": document.querySelector("meta[name=csrf]").content};
      const headers = {"Content-Type": "application/json", ...(proven ? proof : {})};
      return (await fetch("/admin/api/categories", {method: "POST", body: "{}", headers})).status;
    }"""
    assert enter("viewer").evaluate(send, True) == 403
    editor = enter("editor")
    # 422 is the API's own word on an empty category: who asks, and from where, was found right.
    assert [editor.evaluate(send, proof) for proof in (False, True)] == [403, 422]
    forgiving()

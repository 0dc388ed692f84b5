"""Coupons that shoppers claim, reminders that they ask for, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House
from tests.conftest import wait_until

Come = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "zh-TW", "color_scheme": "dark"}


def coupon(house: House, code: str, **given: object) -> str:
    """A coupon that takes 5.00 off, to be claimed, unless said otherwise."""
    window = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2036-01-01T00:00:00Z"}
    terms = {"code": code, "kind": "amount", "amount_off": 500, "claim_required": True}
    house.api("POST", "/coupons", terms | window | given)
    return code


def single_code(house: House, page: Page, code: str) -> str:
    """A code that works once as the coupon."""
    batch = house.api("POST", f"/coupons/{code}/codes", {"count": 1})["id"]
    wait_until(lambda: house.api("GET", f"/coupons/{code}/codes/{batch}")["made"] == 1, what="the code")
    headers = {"Authorization": f"Bearer {house.key}"}
    sheet = page.request.get(f"{house.url}/admin/api/coupons/{code}/codes/{batch}.csv", headers=headers)
    return sheet.text().splitlines()[1].split(",")[0]


def test_coupons_are_claimed_by_button_and_by_code(house: House, come: Come, forgiving: Callable[[], None]) -> None:
    sku = house.product(name="Quill")
    coupon(
        house, "TRY-A", name="Quill <script>alert(1)</script>", scope="items", items=[sku], total=1, threshold=9000
    )
    coupon(house, "TRY-B", name="Of the letter")
    coupon(house, "TRY-C", name="For gold", audience={"kind": "members", "levels": [9]})

    # A guest sees what there is, and is asked to sign in when they claim.
    guest = come(None, "/coupons", **PHONE)
    expect(guest.get_by_text("滿 CN¥90.00 可用")).to_be_visible()
    expect(guest.get_by_role("link", name="Quill", exact=True)).to_be_visible()
    assert_accessible(guest)
    ticket = guest.locator(".ticket", has_text="Quill <script>")
    ticket.get_by_role("button").click()
    expect(guest.locator("#name")).to_be_visible()

    page = come("clara", "/coupons")
    ticket = page.locator(".ticket", has_text="Quill <script>")
    expect(ticket).to_contain_text("1 left")
    expect(page.locator(".ticket", has_text="For gold")).to_contain_text("Not for you")
    ticket.get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("The coupon is yours.")
    expect(ticket.get_by_role("link", name="Use it in the cart")).to_be_visible()
    assert_accessible(page)

    # What is typed wrong stays, with a word about it; a code that works once works once.
    code = single_code(house, page, "TRY-B")
    for typed, told in (("nonsense", "There is no coupon with this code."), ("TRY-B", "code of your own")):
        page.get_by_label("Have a code?").fill(typed)
        page.get_by_role("button", name="Claim", exact=True).first.click()
        expect(page.get_by_role("alert")).to_contain_text(told)
        expect(page.get_by_label("Have a code?")).to_have_value(typed)
    page.get_by_label("Have a code?").fill(code)
    page.get_by_role("button", name="Claim", exact=True).first.click()
    expect(page.locator(".ticket", has_text="Of the letter")).to_contain_text(code)
    other = come("conrad", "/coupons")
    expect(other.locator(".ticket", has_text="Quill <script>")).to_contain_text("All gone.")
    other.get_by_label("Have a code?").fill(code)
    other.get_by_role("button", name="Claim", exact=True).first.click()
    expect(other.get_by_role("alert")).to_contain_text("somebody else has claimed it")
    forgiving()

    # The best for the cart is named.
    proof = page.locator("body").get_attribute("data-csrf") or ""
    cart = {"lines": [{"sku": sku, "quantity": 1}]}
    assert page.request.put(f"{house.url}/api/cart", data=cart, headers={"X-CSRF-Token": proof}).ok
    page.reload()
    expect(page.get_by_text("Best for your cart:")).to_contain_text("saves CN¥5.00")


@pytest.mark.soak
def test_a_reminder_becomes_a_notice_that_can_be_read(house: House, come: Come) -> None:
    # Given sales that begin later, one so soon that its notice is due,
    now = datetime.now(UTC)
    later, soon = house.product(name="Later"), house.product(name="Soon")
    for sku, ahead in ((later, timedelta(days=2)), (soon, timedelta(minutes=4))):
        window = {"starts_at": (now + ahead).isoformat(), "ends_at": (now + timedelta(days=3)).isoformat()}
        house.campaign("seckill", {"price": 5000}, [{"sku": sku, "stock": 5}], **window)

    # when somebody asks to be reminded, then they are told on the page where they asked,
    page = come("rosa", f"/products/{later}")
    for sku in (later, soon):
        page.goto(f"{house.url}/products/{sku}")
        page.get_by_role("button", name="Remind me").click()
        expect(page.get_by_text("You get a notice 5 minutes before the sale begins.")).to_be_visible()
        assert page.url == f"{house.url}/products/{sku}"
    page.goto(f"{house.url}/reminders")
    assert_accessible(page)
    page.get_by_role("button", name="Remove the reminder of Later").click()
    expect(page.get_by_text("The reminder is taken back.")).to_be_visible()
    expect(page.get_by_role("link", name="Later")).to_have_count(0)

    # and the frame counts the notice until it is read.
    def counted() -> bool:
        page.goto(f"{house.url}/notices")
        return page.locator(".main-links .count").all_inner_texts() == ["1"]

    wait_until(counted, what="the notice")
    expect(page.locator(".unread")).to_contain_text("Soon goes on sale")
    assert_accessible(page)
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.locator(".unread, .main-links .count")).to_have_count(0)
    phone = come("rosa", "/notices", **PHONE)
    expect(phone.get_by_text("Soon 將於")).to_be_visible()
    assert_accessible(phone)
    phone.get_by_role("link", name="查看商品").click()
    expect(phone).to_have_url(f"{house.url}/products/{soon}")

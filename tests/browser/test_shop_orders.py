"""Given orders in every state, their shopper sees what to do next, and does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House
from tests.faults.client import ask

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "zh-TW"}
ADDRESS = {"name": "Amy", "phone": "+886 2 1234 5678", "line1": "1 Long Street", "city": "Taipei", "country": "TW"}


def shop(page: Page, house: House, path: str, body: Any, method: str = "POST") -> Any:
    """Ask the shoppers' API as whoever has signed in."""
    token = next(each["value"] for each in page.context.cookies() if each["name"] == "seckill_shopper")
    status, reply = ask(f"{house.url}/api{path}", method=method, token=token, body=body)
    assert 200 <= status < 300, (status, reply)
    return reply


def order(page: Page, house: House, *lines: tuple[str, int]) -> str:
    """Order some goods, and open the order."""
    wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    token = shop(page, house, "/quote", {"lines": wanted})["token"]
    number: str = shop(page, house, "/orders", {"token": token, "address": ADDRESS})["order_no"]
    page.goto(f"{house.url}/orders/{number}")
    return number


def test_an_order_is_paid_and_a_part_comes_back(
    house: House, come: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    kettle, mug = house.product(name="<b>Kettle</b>"), house.product(name="Mug", price=1_900, gift_only=True)
    gift = {"by": "count", "mode": "best", "tiers": [{"at": 2, "gifts": [{"sku": mug}]}]}
    house.campaign("threshold_gift", gift, [{"sku": kettle}])
    page = come("orderamy")
    number = order(page, house, (kettle, 2))
    expect(page.get_by_role("heading", name="<b>Kettle</b>")).to_be_visible()
    expect(page.get_by_role("timer")).to_be_visible()
    assert_accessible(page)
    page.get_by_text("Try what a payment can do").click()
    page.get_by_role("button", name="Refuse").click()
    expect(page.locator(".bad")).to_contain_text("does not take the money")
    page.get_by_role("button", name="Pay CN¥200.00").click()
    expect(page.locator(".note")).to_contain_text("Your payment has come")
    expect(page.locator(".timeline li").first).to_contain_text("Paid")
    page.get_by_role("link", name="Ask for money back").click()
    page.get_by_role("button", name="See what comes back").first.click()
    expect(page.locator(".bad")).to_have_text("Choose what goes back.")
    forgiving()
    page.get_by_label("How many of <b>Kettle</b>").fill("1")
    assert_accessible(page)
    page.get_by_role("button", name="See what comes back").first.click()
    expect(page.locator(".totals .all td")).to_have_text("CN¥81.00")
    expect(page.locator(".totals")).to_contain_text("−CN¥19.00")
    assert_accessible(page)
    page.get_by_role("button", name="Ask for it").click()
    page.wait_for_url(f"**/orders/{number}")
    expect(page.get_by_text("CN¥19.00 is held back for gifts that you keep.")).to_be_visible()
    page.get_by_role("link", name="Ask for money back").click()
    page.get_by_text("Choose single pieces").click()
    page.get_by_label("No. 2").check()
    page.locator("details").get_by_role("button", name="See what comes back").click()
    expect(page.locator(".totals .all td")).to_have_text("CN¥100.00")


@pytest.mark.soak
def test_an_order_is_sent_elsewhere_and_given_up(
    house: House, come: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    page = come("orderben", **PHONE)
    number = order(page, house, (house.product(name="茶壺"), 1))
    assert_accessible(page)
    page.get_by_role("link", name="更改收件資訊").click()
    page.fill("#phone", "x")
    page.get_by_role("button", name="寄到這裡").click()
    expect(page.locator("#wrong-phone")).to_be_visible()
    expect(page.locator("#phone")).to_have_value("x")
    assert_accessible(page)
    forgiving()
    page.fill("#phone", "0912-345-678")
    page.get_by_role("button", name="寄到這裡").click()
    expect(page.locator("address")).to_contain_text("0912-345-678")
    page.get_by_text("取消訂單").click()
    page.get_by_role("button", name="確定取消").click()
    expect(page.locator(".next")).to_contain_text("您已取消這筆訂單")
    page.goto(f"{house.url}/orders?status=cancelled")
    expect(page.locator(".order-card")).to_have_count(1)
    assert_accessible(page)
    page.goto(f"{house.url}/orders?status=paid")
    expect(page.locator(".empty")).to_contain_text("沒有這個狀態的訂單")
    other = come("ordereve", f"/orders/{number}")
    expect(other.locator("h1")).to_have_text("Not found")
    forgiving()


def test_a_shop_decides_about_what_it_has_sent(house: House, come: Callable[..., Page]) -> None:
    page = come("ordercho", java_script_enabled=False)
    number = order(page, house, (house.product(), 1))
    page.get_by_role("button", name="Pay CN¥100.00").click()
    house.api("POST", f"/orders/{number}/ship", {"carrier": "Fast & Far", "tracking_no": "FF-1"})
    page.goto(f"{house.url}/orders/{number}")
    expect(page.locator(".next")).to_contain_text("On its way with Fast & Far, number FF-1.")
    page.get_by_role("link", name="Ask for money back").click()
    page.get_by_role("button", name="Everything goes back").click()
    expect(page.get_by_text("The shop decides")).to_be_visible()
    page.get_by_role("button", name="Ask for it").click()
    expect(page.locator(".note")).to_contain_text("The shop has been asked")
    expect(page.locator(".next")).to_contain_text("A refund is under way")
    house.api("POST", f"/orders/{number}/refund", {})
    page.goto(f"{house.url}/orders/{number}")
    expect(page.locator(".next")).to_contain_text("CN¥100.00 came back to you.")


def test_a_presale_and_a_group_say_what_comes_next(house: House, come: Callable[..., Page]) -> None:
    early, shared = house.product(name="Early"), house.product(name="Shared")
    rule = {
        "deposit": 1_000,
        "mode": "leverage",
        "multiplier": 2,
        "balance_starts_at": "2036-01-01T00:00:00Z",
        "balance_ends_at": "2036-01-08T00:00:00Z",
        "on_unpaid": "refund",
    }
    presale = house.campaign("presale", rule, [{"sku": early}])
    group = house.campaign("group_buy", {"price": 8_000, "size": 2, "hours": 24}, [{"sku": shared}])
    page = come("orderdan")
    number = shop(page, house, f"/presales/{presale}/{early}/deposit", {})["order_no"]
    page.goto(f"{house.url}/orders/{number}")
    page.get_by_role("button", name="Pay the deposit of CN¥10.00").click()
    expect(page.locator(".next")).to_contain_text("The balance of CN¥80.00 can be paid from")
    expect(page.locator(".next")).to_contain_text("the deposit comes back")
    assert_accessible(page)
    number = shop(page, house, "/groups", {"campaign": group, "sku": shared})["order_no"]
    page.goto(f"{house.url}/orders/{number}")
    page.get_by_role("button", name="Pay CN¥80.00").click()
    expect(page.locator(".next")).to_contain_text("The group is not full yet")
    expect(page.get_by_role("link", name="To the group")).to_have_attribute("href", re.compile("^/g/"))
    page.goto(f"{house.url}/orders")
    expect(page.locator(".order-card")).to_have_count(2)
    expect(page.locator(".order-card").first).to_contain_text("Shared")

"""Group buys and pre-sales: opening, sharing, joining, paying, leaving; a deposit, and the wait for the balance."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House

Come = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "zh-TW", "color_scheme": "dark"}
RUDE = "Radio <script>alert(1)</script>"


def group_buy(house: House, **rule: object) -> tuple[str, str]:
    """A group buy of two, and the address of the page where groups of it are opened."""
    sku = house.product(name=RUDE)
    code = house.campaign("group_buy", {"price": 6000, "size": 2, "hours": 24} | rule, [{"sku": sku}])
    return sku, f"/groups/{code}/{sku}"


def seats(page: Page) -> list[str]:
    return page.locator(".seat").all_inner_texts()


def test_a_group_fills_while_its_page_is_open(house: House, come: Come, forgiving: Callable[[], None]) -> None:
    # Given who wants more than anybody may have, then they are told so beside what they typed.
    _, offer = group_buy(house)
    leader = come("gilda", offer)
    expect(leader.locator("h1")).to_have_text(RUDE)
    assert_accessible(leader)
    leader.get_by_label("Quantity").fill("2")
    leader.get_by_role("button", name="Open a group").click()
    expect(leader.get_by_role("alert")).to_contain_text("more units than one shopper may have")
    expect(leader.get_by_label("Quantity")).to_have_value("2")
    forgiving()

    # When they open a group and pay,
    leader.get_by_label("Quantity").fill("1")
    leader.get_by_role("button", name="Open a group").click()
    leader.wait_for_url(re.compile("/g/"))
    address = leader.url
    leader.get_by_role("button", name="for my seat").click()
    expect(leader.get_by_text("You are in.")).to_be_visible()
    assert leader.url == address
    assert seats(leader) == ["You", "Free"]
    expect(leader.get_by_label("Link to this group")).to_have_value(address)
    expect(leader.locator('meta[property="og:url"]')).to_have_attribute("content", address)
    assert_accessible(leader)

    # then a guest with the link signs in, comes back and joins,
    friend = come(None, address.removeprefix(house.url), **PHONE)
    expect(friend.get_by_text("還差 1 人成團。")).to_be_visible()
    assert_accessible(friend)
    friend.get_by_role("link", name="登入後以").click()
    friend.fill("#name", "gustav")
    friend.locator("#name").press("Enter")
    friend.wait_for_url(address)
    friend.get_by_role("button", name="參團").click()
    expect(friend.get_by_text("已為您保留名額")).to_be_visible()
    expect(leader.locator(".seat").nth(1)).to_have_text("Not paid yet")
    assert_accessible(friend)

    # and with their money the leader sees the group become full, without doing anything.
    friend.get_by_role("button", name="支付").click()
    expect(friend.get_by_text("已成團，大家都享有優惠價。")).to_be_visible()
    expect(leader.get_by_text("The group is full.")).to_be_visible()
    expect(leader.get_by_role("link", name="My order")).to_be_visible()
    assert_accessible(friend)


@pytest.mark.soak
def test_whoever_comes_too_late_or_leaves_is_told_what_that_means(
    house: House, come: Come, forgiving: Callable[[], None]
) -> None:
    # Given a group with one free seat, and somebody who looks at it without scripts,
    _, offer = group_buy(house, limit_per_shopper=3)
    plain = {"java_script_enabled": False}
    leader = come("gerda", offer, **plain)
    leader.get_by_role("button", name="Open a group").click()
    address = leader.url.removeprefix(house.url)
    late = come("lars", address, **plain)
    late.get_by_label("Quantity").fill("3")

    # when somebody else takes the seat first, then they are told so, and can look again,
    come("gregor", address, **plain).get_by_role("button", name="Join for").click()
    late.get_by_role("button", name="Join for").click()
    expect(late.get_by_role("alert")).to_contain_text("Every seat is taken just now.")
    forgiving()
    expect(late.get_by_text("and not every one is paid for")).to_be_visible()
    # until the leader, who is told what leaving means, sets another one free.
    leader.get_by_text("Leave the group", exact=True).click()
    expect(leader.get_by_text("You have paid nothing, and somebody else may have your seat")).to_be_visible()
    leader.get_by_role("button", name="Yes, leave the group").click()
    expect(leader.get_by_text("You have left the group. You had paid nothing.")).to_be_visible()
    late.get_by_role("link", name="Look again").click()
    expect(late.get_by_role("button", name="Join for")).to_be_visible()


def test_a_deposit_is_explained_paid_and_followed_to_the_balance(house: House, come: Come) -> None:
    sku = house.product(name=RUDE, price=100_000)
    rule = {
        "deposit": 10_000,
        "multiplier": 3,
        "balance_starts_at": "2036-01-01T00:00:00Z",
        "balance_ends_at": "2036-01-08T00:00:00Z",
        "ships_at": "2036-02-01T00:00:00Z",
    }
    code = house.campaign("presale", rule, [{"sku": sku}])
    page = come("paula", f"/presales/{code}/{sku}")
    for text in ("Deposit: CN¥100.00", "It counts for CN¥300.00", "Balance: CN¥700.00", "Sent from Feb 1, 2036"):
        expect(page.get_by_text(text)).to_be_visible()
    expect(page.get_by_text("the shop keeps your deposit")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Order with a deposit").click()
    page.wait_for_url(re.compile("/orders/"))
    page.get_by_role("button", name="Pay the deposit").click()
    page.goto(f"{house.url}/presales/{code}/{sku}")
    expect(page.get_by_text("The deposit of CN¥100.00 is paid.")).to_be_visible()
    expect(page.get_by_role("timer").filter(has_text="Balance opens in")).to_be_visible()
    assert_accessible(page)

    # A deposit that confirms the order counts once; a pre-sale that is over says so.
    confirm = house.campaign(
        "presale", {**rule, "mode": "confirm", "multiplier": 1, "on_unpaid": "refund"}, [{"sku": sku}]
    )
    other = come(None, f"/presales/{confirm}/{sku}", **PHONE)
    expect(other.get_by_text("付訂金即確認訂單")).to_be_visible()
    expect(other.get_by_text("逾期未付尾款，訂金將退還。")).to_be_visible()
    assert_accessible(other)
    house.api("POST", f"/campaigns/{confirm}/terminate", {})
    other.reload()
    expect(other.get_by_text("目前無法付訂金")).to_be_visible()
    assert_accessible(other)

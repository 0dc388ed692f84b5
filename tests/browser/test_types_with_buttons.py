"""Three types with a button of their own: an operator publishes each by hand; shoppers buy through it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.by_hand import Shopper, Wizard
from tests.browser.house import House

Come = Callable[..., Page]


@pytest.fixture
def wizard(house: House, enter: Callable[..., Page]) -> Wizard:
    return Wizard(enter("editor", "/admin/wizard"), house)


def test_seckill(wizard: Wizard, come: Come, house: House) -> None:
    # Only offers of demo goods take made-up shoppers.
    sku = house.product(sku="demo-pan", price=10_000, name="A copper pan")
    wizard.begin("Flash sale", "Types: seckill").write("Price", "49").go_on().goods(sku, stock="3").publish()
    shopper = Shopper(come("demo clicker", f"/products/{sku}"), house)
    shopper.page.get_by_role("button", name="To the sale").click()
    # The gateway's page, where the shopper is known already.
    card = shopper.page.locator(f'[data-offer$="{sku}"]')
    card.locator("button.buy").click()
    expect(card.locator(".ticket")).to_contain_text("49.00")
    shopper.page.get_by_role("link", name=re.compile("To my order")).click()
    shopper.arrive().pay()


def test_presale(wizard: Wizard, come: Come, house: House) -> None:
    sku = house.product(price=10_000)
    wizard.begin("Pre-sale", "Types: presale").write("Deposit", "10").choose("confirm")
    wizard.write("Balance from", "2036-01-02T00:00").write("Balance until", "2036-01-05T00:00").go_on()
    wizard.goods(sku).publish()
    shopper = Shopper(come("early bird", f"/products/{sku}"), house)
    shopper.page.get_by_role("button", name="Reserve with a deposit").click()
    shopper.arrive().pay(re.compile("Deposit paid"))


def test_group_buy(wizard: Wizard, come: Come, house: House) -> None:
    sku = house.product(price=10_000)
    wizard.begin("Group buy", "Types: group buy").write("Group price", "70").write(
        "Shoppers in a group", "2"
    ).go_on()
    wizard.goods(sku).publish()
    leader = Shopper(come("leader", f"/products/{sku}"), house)
    leader.page.get_by_role("button", name="Open a group").click()
    leader.page.wait_for_url(re.compile("/g/|/orders/"))
    leader.pay(re.compile("Waiting|seat"))
    follower = Shopper(come("follower", f"/products/{sku}"), house)
    follower.page.get_by_role("link", name="Join this group").click()
    follower.page.get_by_role("button", name=re.compile("Join")).click()
    follower.page.wait_for_url(re.compile("/g/|/orders/"))
    follower.pay("The group is full. Everybody gets the lower price.")

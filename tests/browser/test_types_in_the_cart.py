"""Seven types of promotion: a new operator publishes each, guided by the screen; a shopper buys through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.by_hand import Shopper, Wizard
from tests.browser.house import House, come_as, sign_in
from tests.browser.visiting import watched


@pytest.fixture(scope="module")
def people(house: House, browser: Browser) -> Iterator[tuple[Wizard, Shopper]]:
    """An operator and a shopper, who stay for all types: a browser that has been there is much faster."""
    told: list[str] = []
    wizard, shopper = (watched(browser, told) for _ in range(2))
    sign_in(wizard, house, "editor")
    come_as(shopper, house, "typist")
    yield Wizard(wizard, house), Shopper(shopper, house)
    assert told == []


@pytest.fixture
def wizard(people: tuple[Wizard, Shopper]) -> Wizard:
    return people[0]


@pytest.fixture
def shopper(people: tuple[Wizard, Shopper]) -> Shopper:
    return people[1]


def total(shopper: Shopper, text: str) -> None:
    expect(shopper.cart().get_by_role("row", name=f"To pay {text}")).to_be_visible()


def test_item_discount(wizard: Wizard, shopper: Shopper, house: House) -> None:
    sku = house.product(price=10_000)
    wizard.begin("Item discount", "Types: item discount").write("Percent off", "25").go_on().goods(sku).publish()
    shopper.put(sku, 2)
    total(shopper, "CN¥150.00")
    shopper.order().pay()


def test_threshold_reduction(wizard: Wizard, shopper: Shopper, house: House) -> None:
    sku = house.product(price=10_000)
    wizard.begin("Amount off a total", "Types: amount off").choose("Tiers")
    wizard.write("Spend", "150").write("Amount off", "30").go_on().goods(sku).publish()
    shopper.put(sku, 2)
    total(shopper, "CN¥170.00")
    shopper.order().pay()


def test_threshold_discount(wizard: Wizard, shopper: Shopper, house: House) -> None:
    sku = house.product(price=10_000)
    wizard.begin("Percent off a total", "Types: percent off").choose("Pieces")
    wizard.write("Pieces", "3").write("Percent off", "10").go_on().goods(sku).publish()
    shopper.put(sku, 3)
    total(shopper, "CN¥270.00")
    shopper.order().pay()


def test_bundle(wizard: Wizard, shopper: Shopper, house: House) -> None:
    one, other = house.product(price=10_000), house.product(price=6_000)
    wizard.begin("Bundle", "Types: bundle").write("Product", one)
    wizard.write("Units", "1").another_row().write("Product", other, 1).write("Units", "2", 1)
    code = wizard.write("Price of a set", "180").go_on().go_on().publish()
    shopper.page.goto(f"{house.url}/c/{code}")
    shopper.page.get_by_role("button", name="Add the set to the cart").click()
    total(shopper, "CN¥180.00")
    shopper.order().pay()


def test_item_gift(wizard: Wizard, shopper: Shopper, house: House) -> None:
    sku, gift = house.product(price=10_000), house.product(name="A small cup")
    wizard.begin("Gift with a product", "Types: gift").go_on().goods(sku)
    wizard.write("Gift", gift).go_on().publish()
    shopper.put(sku)
    expect(shopper.cart().get_by_text("A small cup").first).to_be_visible()
    shopper.order().pay()
    expect(shopper.page.get_by_text("A small cup").first).to_be_visible()


def test_threshold_gift(wizard: Wizard, shopper: Shopper, house: House) -> None:
    sku, gift = house.product(price=10_000), house.product(name="A large cup")
    wizard.begin("Gift over a threshold", "Types: gift over").choose("What the products cost").write(
        "Spend", "200"
    ).go_on()
    wizard.goods(sku).write("Gift", gift).go_on().publish()
    shopper.put(sku, 2)
    expect(shopper.cart().get_by_text("A large cup").first).to_be_visible()
    shopper.order().pay()


def test_add_on(wizard: Wizard, shopper: Shopper, house: House) -> None:
    sku, towel = house.product(price=10_000), house.product(name="A soft towel", price=5_000)
    wizard.begin("Add-on at a lower price", "Types: add-on").write("Spend", "100").go_on().goods(sku)
    expect(wizard.page.get_by_role("link", name="Add-ons")).to_be_visible()
    wizard.write("Product", towel).write("Add-on price", "9").go_on().publish()
    shopper.put(sku).cart().get_by_role("button", name="Add A soft towel").click()
    expect(shopper.page.get_by_role("row", name="To pay CN¥109.00")).to_be_visible()
    shopper.order().pay()

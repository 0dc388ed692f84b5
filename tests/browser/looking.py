"""Finding things on the sale page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Gateway

Visit = Callable[..., Page]


def card(page: Page, offer: str) -> Locator:
    return page.locator(f'[data-offer="{offer}"]')


def buy_button(page: Page, offer: str) -> Locator:
    return card(page, offer).locator("button.buy")


def says(page: Page, offer: str) -> Locator:
    return card(page, offer).locator("p.says")


def shop_as(page: Page, gateway: Gateway, name: str) -> None:
    page.goto(gateway.url)
    page.click("#shopper")
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("#shopper")).to_contain_text(name)

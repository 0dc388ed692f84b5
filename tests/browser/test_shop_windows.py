"""The shop's windows as shoppers meet them: flash sales, lists, product pages, campaigns, and the way to a sale."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

Come = Callable[..., Page]
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "locale": "zh-TW",
    "color_scheme": "dark",
}
TRANSFER_MAX_BYTES = 50 * 1024
SCRIPT = "<script>alert(1)</script>"
LISTED = 24
"""Products on a page of a list."""


def sale_of(page: Page, sku: str) -> Locator:
    return page.locator(f'[data-offer$="-{sku}"]').first


def iso(seconds_from_now: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds_from_now)).isoformat()


def flash_sale(house: House, sku: str, starts_in_s: float = -60, **item: Any) -> str:
    """A flash sale of a product, which real shoppers may buy."""
    item = {"sku": sku, "stock": 4} | item
    return house.campaign(
        "seckill", {"price": 6_000}, [item], starts_at=iso(starts_in_s), slogan=f"Quick {SCRIPT}", name="Quick"
    )


def test_from_the_channel_to_the_sale_to_the_order(house: House, come: Come) -> None:
    # Given a shopper at the channel of flash sales
    page = come("wendy windows")
    card = sale_of(page, "demo-kettle")
    expect(card.locator(".now")).to_have_text(re.compile(r"99\.00"))
    expect(card.locator(".was")).to_have_text(re.compile(r"299\.00"))
    expect(page.locator(".channel .timer b").first).to_have_text(re.compile(r"^\d\d$"))
    assert_accessible(page)

    # When they follow the button
    offer = card.get_attribute("data-offer")
    card.get_by_role("button", name="To the sale").click()

    # Then the sale page knows them and is at that offer, and the address bar has no token
    wanted = page.locator(f'[data-offer="{offer}"]')
    expect(wanted.locator("h3")).to_be_focused()
    expect(wanted).to_be_in_viewport()
    expect(page.locator("#shopper")).to_contain_text("demo-wendy-windows")
    assert page.url == f"{house.gateway}/#offer={offer}"

    # When they buy, then the ticket leads to that very order in the shop
    wanted.locator("button.buy").click()
    number = wanted.locator(".ticket code").inner_text()
    link = wanted.get_by_role("link", name="To my order and pay")
    expect(link).to_have_attribute("href", re.compile(f"^{house.url}/orders/{number}\\?receipt="))
    link.click()
    expect(page).to_have_url(re.compile(f"^{house.url}/orders/{number}"))
    expect(page.locator("main")).to_contain_text(number)


def test_a_guest_signs_in_on_the_way_to_a_sale_and_keeps_the_place(house: House, come: Come) -> None:
    sku = house.product(name=SCRIPT)
    flash_sale(house, sku)
    page = come(None, f"/products/{sku}?from=mail")
    sale_of(page, sku).get_by_role("button", name="To the sale").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert_accessible(page)
    page.fill("#name", "x" * 40)
    page.locator("#name").press("Enter")
    expect(page).to_have_url(f"{house.url}/products/{sku}?from=mail")
    expect(page.locator("h1")).to_have_text(SCRIPT)


def test_a_sale_opens_and_counts_without_a_reload(house: House, come: Come) -> None:
    # Given a page that is open before the sale, on a device whose clock is an hour wrong
    sku = house.product()
    code = flash_sale(house, sku, starts_in_s=3600)
    page = come(None, "/language/en")
    page.clock.install(time=time.time() + 3600)
    page.goto(f"{house.url}/products/{sku}")
    sale = sale_of(page, sku)
    expect(sale.get_by_role("button", name="Remind me")).to_be_visible()
    expect(sale).to_contain_text("4 units")

    # When it opens, then the button sells
    house.api("PATCH", f"/campaigns/{code}", {"starts_at": iso(-60)})
    page.clock.fast_forward(3_700_000)
    expect(sale.get_by_role("button", name="To the sale")).to_be_visible()
    expect(sale.locator(".few")).to_have_text("Only 4 left")

    # When the shop cuts its stock, then who comes back to the page is told
    house.api("POST", f"/campaigns/{code}/items/{sku}/stock", {"delta": -1, "operation_id": f"less-{sku}"})

    def told() -> bool:
        # What the page asks for may be half a second old.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        return sale.locator(".few").inner_text() == "Only 3 left"

    wait_until(told, what="the page that says so")


def test_a_list_is_filtered_searched_sorted_and_paged_without_scripts(house: House, come: Come) -> None:
    # Given one page of products and one more, in a category of their own
    other = house.product()
    category, name, wood = f"of-{other}", f"Beside {other} & more", f"rosewood{other}"
    house.api("POST", "/categories", {"id": category, "name": name})
    skus = [house.product(category=category, price=1000 + each) for each in range(LISTED)]
    special = house.product(category=category, name=f"Rose {SCRIPT}", price=900_00, tags=[wood])
    house.campaign("item_discount", {"percent_off": 50}, [{"sku": special}], name=f"Half of {wood}")
    page = come(None, "/products", java_script_enabled=False)

    page.get_by_role("link", name=re.compile(f"^{name}")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.get_by_label("Order").select_option("-promo_price")
    page.get_by_role("button", name="Sort").click()
    cards = page.locator(".good-card")
    expect(cards).to_have_count(LISTED)
    expect(cards.first).to_contain_text(f"Rose {SCRIPT}")
    expect(cards.first.locator(".now")).to_contain_text("450.00")
    expect(cards.first.locator(".was")).to_contain_text("900.00")
    expect(cards.first.locator(".badge")).to_have_text("50% off")
    page.get_by_role("link", name="More products").click()
    expect(cards).to_have_count(1)
    expect(cards.locator(f'a[href="/products/{skus[0]}"]')).to_have_count(1)
    page.get_by_role("link", name="From the beginning").click()
    expect(cards).to_have_count(LISTED)

    page.get_by_label("Search products").fill(wood)
    page.get_by_role("button", name="Search").click()
    expect(cards).to_have_count(1)
    page.get_by_role("link", name="Group buy", exact=True).click()
    expect(page.locator(".empty")).to_contain_text(f"Nothing was found for “{wood}”")
    page.get_by_role("link", name="All products").click()
    page.get_by_role("link", name="Item discount", exact=True).click()
    page.get_by_role("link", name=f"Half of {wood}").click()
    expect(cards).to_have_count(1)


def test_a_list_that_nobody_can_be_shown_says_so(come: Come, forgiving: Callable[[], None]) -> None:
    page = come(None, "/products?type=gambling")
    expect(page.locator(".bad")).to_be_visible()
    expect(page.get_by_role("link", name="All products")).to_be_visible()
    page.goto(page.url.replace("type=gambling", "q=thing"))
    assert_accessible(page)
    forgiving()


def everything(house: House) -> tuple[str, dict[str, str]]:
    """A product with every way to buy it."""
    gift, part = house.product(name="Bow"), house.product(name="Lid", price=500)
    sku = house.product(name=f"Pan {SCRIPT}", stock=13, description="Iron,\nheavy.", tags=["iron"])
    items = [{"sku": sku}]
    sets = [{"sku": sku, "quantity": 1}, {"sku": part, "quantity": 1}]
    later = {"balance_starts_at": "2036-01-01T00:00:00Z", "balance_ends_at": "2036-02-01T00:00:00Z"}
    gifts = {"by": "count", "mode": "best", "tiers": [{"at": 3, "gifts": [{"sku": gift, "quantity": 1}]}]}
    rules: dict[str, tuple[Any, list[Any]]] = {
        "threshold_discount": ({"by": "count", "tiers": [{"at": 2, "percent_off": 30}]}, items),
        "threshold_gift": (gifts, items),
        "bundle": ({"price": 9_000, "components": sets}, []),
        "group_buy": ({"price": 8_000, "size": 2, "hours": 24}, items),
        "presale": ({"price": 9_500, "deposit": 1_000, "mode": "leverage", "multiplier": 2, **later}, items),
    }
    codes = {type: house.campaign(type, rule, listed) for type, (rule, listed) in rules.items()}
    codes["seckill"] = flash_sale(house, sku)
    return sku, codes


def test_a_product_page_tells_every_promotion_and_way_to_buy(house: House, come: Come) -> None:
    sku, codes = everything(house)
    page = come("paula panes", f"/products/{sku}")
    assert_accessible(page)
    expect(page.locator("h1")).to_have_text(f"Pan {SCRIPT}")
    expect(page.locator(".facts .few")).to_have_text("Only 9 left")
    promotions = page.locator(".promotions")
    expect(promotions).to_contain_text(re.compile(r"Buy 2, then .*70\.00 each\."))
    expect(promotions).to_contain_text("Buy 3 to get it.")
    expect(promotions).to_contain_text("Bow")
    expect(promotions).to_contain_text("Lid")
    ways = page.locator(".own")
    expect(ways).to_have_count(3)
    expect(page.locator(".own[data-kind=presale]")).to_contain_text(re.compile(r"deposit of .*10\.00 now"))

    # A promotion is chosen, and the product put into the cart with it
    page.locator(f"input[value={codes['threshold_gift']}]").check()
    page.get_by_label("Quantity").first.fill("2")
    page.get_by_role("button", name="Add to cart").click()
    expect(page).to_have_url(f"{house.url}/products/{sku}")
    expect(page.locator(".note")).to_be_visible()
    page.get_by_role("button", name="Add the set to the cart").click()
    expect(page.locator(".note")).to_be_visible()
    cart = page.request.get(f"{house.url}/api/cart").json()
    assert {each["sku"]: each["quantity"] for each in cart["cart"]["lines"]}[sku] == 3
    page.get_by_role("button", name="Open a group").click()
    expect(page).to_have_url(re.compile(r"/g/"))


@pytest.mark.parametrize("state", ["not_started", "running", "paused", "ended"])
def test_a_campaign_has_a_page_in_every_state(house: House, come: Come, state: str) -> None:
    sku = house.product(name=f"Jar {SCRIPT}")
    starts = iso(90_000) if state == "not_started" else "2026-01-01T00:00:00Z"
    about = {"slogan": f"All jars {SCRIPT}", "starts_at": starts}
    code = house.campaign("item_discount", {"percent_off": 20}, [{"sku": sku}], **about)
    if state in {"paused", "ended"}:
        house.api("POST", f"/campaigns/{code}/{'pause' if state == 'paused' else 'terminate'}", {})

    page = come(None, f"/c/{code}", **PHONE)
    assert_accessible(page)
    expect(page.locator(".lead")).to_have_text(f"All jars {SCRIPT}")
    said = {"not_started": "距", "running": "剩餘時間", "paused": "活動暫停中", "ended": "活動已結束"}
    expect(page.locator("[data-part=state]")).to_contain_text(said[state])
    expect(page.locator(".good-card .now")).to_contain_text("80.00" if state != "ended" else "100.00")
    expect(page.locator(".good-card").get_by_role("button", name="加入購物車")).to_have_count(int(state != "ended"))
    # Programs are told the same at the same address.
    told = httpx.get(f"{house.url}/c/{code}", headers={"Accept": "application/json, text/html;q=0.9"})
    assert told.json()["state"] == state
    assert httpx.get(f"{house.url}/c/{code}").json()["code"] == code


@pytest.mark.parametrize("path", ["/", "/products", "/products/demo-tea", "/sign-in?next=/cart"])
def test_windows_fit_a_phone_and_are_small(house: House, visit: Callable[..., Page], path: str) -> None:
    page = visit(**PHONE)
    sizes: list[int] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(f"{house.url}{path}")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    assert_accessible(page)
    assert len(sizes) > 3
    assert sum(sizes) <= TRANSFER_MAX_BYTES

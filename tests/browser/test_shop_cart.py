"""Given shoppers with a full cart, they see what every choice costs, and order at the price that they saw."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "locale": "zh-TW",
    "java_script_enabled": True,
}
ADDRESS = {"name": "Amy", "phone": "+886 2 1234 5678", "line1": "1 Long Street", "city": "Taipei", "country": "TW"}


def put(page: Page, house: House, sku: str, quantity: int = 1) -> None:
    """Send the form that a product's page has."""
    form = {"csrf": page.locator("body").get_attribute("data-csrf") or "", "sku": sku, "quantity": str(quantity)}
    assert page.request.post(f"{house.url}/cart/lines", form=form).ok


def test_a_cart_is_changed_without_a_new_page(house: House, come: Callable[..., Page]) -> None:
    kettle, lamp = house.product(name="<script>alert(1)</script> kettle"), house.product(price=4_000)
    mug, bow = house.product(gift_only=True, name="Mug"), house.product(gift_only=True, name="Bow")
    towel = house.product(name="Towel", price=3_000)
    cheap = house.campaign("item_discount", {"percent_off": 40}, [{"sku": kettle}], priority=1)
    tiers = {"mode": "tiers", "tiers": [{"spend": 10_000, "off": 500}, {"spend": 30_000, "off": 3_000}]}
    house.campaign("threshold_reduction", tiers, [{"sku": kettle}], priority=5)
    gift = {"by": "count", "mode": "best", "tiers": [{"at": 1, "choose": 1, "gifts": [{"sku": mug}, {"sku": bow}]}]}
    house.campaign("threshold_gift", gift, [{"sku": lamp}], priority=5)
    plus = {"tiers": [{"spend": 1_000, "options": [{"sku": towel, "price": 900, "limit": 1}]}]}
    adding = house.campaign("add_on", plus, [{"sku": lamp}], priority=1)
    page = come("cartamy", "/cart")
    assert_accessible(page)
    for sku in (kettle, lamp):
        put(page, house, sku)
    page.goto(f"{house.url}/cart")
    total = page.locator(".totals .all td")
    expect(total).to_have_text("CN¥135.00")
    expect(page.locator(".hint").first).to_contain_text("Spend CN¥200.00 more: CN¥30.00 off.")
    expect(page.get_by_text("<script>alert(1)</script> kettle").first).to_be_visible()
    # The cheaper choice is one button away; the page stays, and says what it did.
    page.locator("h1").evaluate("node => node.textContent = 'the same page'")
    main = page.locator("main")
    main.evaluate("node => node.dataset.same = 'yes'")
    expect(page.locator(".better")).to_contain_text("Another choice saves you CN¥35.00")
    page.get_by_role("button", name="Take it").click()
    expect(total).to_have_text("CN¥100.00")
    expect(main).to_have_attribute("data-same", "yes")
    expect(page.locator("body > [role=status]")).to_have_text("You save CN¥35.00. To pay: CN¥100.00")
    # Every choice says what it would cost; none is one.
    page.locator(f"[data-key='summary-{kettle}']").click()
    choices = page.locator(f"[data-key='switch-{kettle}']")
    expect(choices.locator("label", has_text="No promotion")).to_contain_text("CN¥100.00")
    expect(choices.locator(f"label:has([value='code:{cheap}'])")).to_contain_text("CN¥60.00")
    choices.get_by_label("No promotion").check()
    choices.get_by_role("button", name="Use this promotion").click()
    expect(total).to_have_text("CN¥140.00")
    # Steps in a row are one change, and the focus stays where it was.
    more = page.locator(f"[data-key='more-{lamp}']")
    more.click()
    more.click()
    expect(total).to_have_text("CN¥220.00")
    expect(more).to_be_focused()
    page.get_by_label("Bow").check()
    page.get_by_role("button", name="Choose these gifts").click()
    expect(page.get_by_label("Bow")).to_be_checked()
    page.get_by_role("button", name="No gift, thanks").click()
    expect(page.get_by_text("You want no gift.")).to_be_visible()
    page.get_by_role("button", name="I want the gifts").click()
    expect(page.get_by_text("You want no gift.")).to_be_hidden()
    page.locator(f"[data-key='summary-{lamp}']").click()
    page.locator(f"[data-key='switch-{lamp}'] [value='code:{adding}']").check()
    page.locator(f"[data-key='switch-{lamp}'] button").click()
    page.get_by_role("button", name="Add Towel").click()
    expect(total).to_have_text("CN¥229.00")
    assert_accessible(page)
    page.get_by_role("checkbox", name="Order Thing").click()
    expect(total).to_have_text("CN¥100.00")


def test_a_guest_fills_a_cart_without_scripts_and_keeps_it_at_sign_in(
    house: House, come: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    sku, scarce = house.product(name="茶壺"), house.product(name="茶杯", stock=2)
    page = come(None, "/cart", **(PHONE | {"java_script_enabled": False}))
    put(page, house, sku)
    put(page, house, scarce, 5)
    page.goto(f"{house.url}/cart")
    expect(page.locator(".count")).to_have_text("6")
    expect(page.locator(".alarm")).to_contain_text("僅剩 2 件")
    page.get_by_role("button", name="改為 2 件").click()
    expect(page.locator(".pay-bar strong")).to_have_text("CN¥300.00")
    quantity = page.locator(f"[data-key='quantity-{sku}']")
    quantity.fill("many")
    quantity.press("Enter")
    expect(quantity).to_have_value("many")
    expect(quantity).to_have_attribute("aria-invalid", "true")
    forgiving()
    page.goto(f"{house.url}/cart")
    page.locator(".pay-bar a").click()
    page.fill("#name", "cartguest")
    page.locator("#name").press("Enter")
    page.wait_for_url("**/checkout")
    expect(page.locator(".totals .all td")).to_have_text("CN¥300.00")
    page.goto(f"{house.url}/cart")
    expect(page.locator(".line")).to_have_count(2)


def test_two_tabs_lose_no_line(house: House, come: Callable[..., Page]) -> None:
    first, second = house.product(), house.product()
    page = come("carttabs", "/cart")
    put(page, house, first)
    page.goto(f"{house.url}/cart")
    other = page.context.new_page()
    other.goto(f"{house.url}/cart")
    put(other, house, second)
    page.locator(f"[data-key='more-{first}']").click()
    expect(page.locator(f"[data-key='quantity-{first}']")).to_have_attribute("data-known", "2")
    expect(page.locator(".line")).to_have_count(2)
    other.locator(f"[data-key='remove-{first}']").click()
    expect(other.locator(".line")).to_have_count(1)
    page.locator(f"[data-key='remove-{first}']").click()
    expect(page.locator(".bad")).to_contain_text("no such line")
    expect(page.locator(".line")).to_have_count(1)


def test_what_is_ordered_is_what_was_seen(
    house: House, come: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    sku = house.product(name="Kettle")
    house.campaign(
        "threshold_reduction", {"mode": "tiers", "tiers": [{"spend": 20_000, "off": 1_001}]}, [{"sku": sku}]
    )
    page = come("cartbuyer", "/cart", viewport=PHONE["viewport"])
    put(page, house, sku, 2)
    page.goto(f"{house.url}/checkout")
    assert_accessible(page)
    page.locator("summary").click()
    expect(page.locator(".units")).to_contain_text("1 × CN¥94.99")
    for name, value in (ADDRESS | {"country": "T1"}).items():
        page.fill(f"#{name}", value)
    page.fill("#note", "Ring twice")
    page.get_by_role("button", name="Place the order").click()
    expect(page.locator("#wrong-country")).to_be_visible()
    expect(page.locator("#line1")).to_have_value("1 Long Street")
    page.fill("#country", "tw")
    house.api("PATCH", f"/products/{sku}", {"price": 12_000})
    page.get_by_role("button", name="Place the order").click()
    expect(page.locator(".changed")).to_contain_text("CN¥229.99")
    assert_accessible(page)
    forgiving()
    with page.expect_navigation(url="**/orders/*"):
        page.get_by_role("button", name="Order at CN¥229.99").dblclick()
    expect(page.get_by_text("Your note: Ring twice")).to_be_visible()
    page.goto(f"{house.url}/orders")
    expect(page.locator(".order-card")).to_have_count(1)
    put(page, house, sku)
    page.goto(f"{house.url}/checkout")
    expect(page.locator("#line1")).to_have_value("1 Long Street")


def test_gifts_that_are_gone_are_asked_about(
    house: House, come: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    sku, mug = house.product(), house.product(gift_only=True, name="Mug", stock=1)
    house.campaign("item_gift", {"gifts": [{"sku": mug, "quantity": 1}], "per": 1}, [{"sku": sku}])
    page = come("cartgift", "/cart")
    put(page, house, sku)
    page.goto(f"{house.url}/checkout")
    for name, value in ADDRESS.items():
        page.fill(f"#{name}", value)
    house.api("PATCH", f"/products/{mug}", {"stock": 0})
    page.get_by_role("button", name="Place the order").click()
    expect(page.locator(".changed")).to_contain_text("Gift: Mug")
    forgiving()
    page.get_by_role("button", name="Order without these gifts").click()
    page.wait_for_url("**/orders/*")
    put(page, house, sku)
    page.goto(f"{house.url}/checkout")
    house.api("PATCH", f"/products/{sku}", {"on_sale": False})
    page.get_by_role("button", name="Place the order").click()
    page.wait_for_url("**/cart")
    expect(page.locator(".bad")).to_be_visible()
    expect(page.locator(".alarm")).to_contain_text("not for sale any more")


def test_an_empty_cart_leads_on(come: Callable[..., Page]) -> None:
    page = come(None, "/cart", **PHONE)
    expect(page.locator(".empty .button")).to_have_attribute("href", "/products")
    assert_accessible(page)

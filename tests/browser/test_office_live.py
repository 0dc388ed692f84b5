"""Given a shop that sells, operators watch a sale, act on it, read reports, look ahead and try carts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House

PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "zh-TW", "color_scheme": "dark"}
EVIL = "<script>alert(1)</script>"


def sale(house: House, stock: int = 5, **given: Any) -> tuple[str, str]:
    """A flash sale of one product, and its offer."""
    sku = house.product(name=f"Lamp {EVIL}")
    rule = {"price": 9000, "limit_per_shopper": 1, "pay_within_s": 900}
    code = house.campaign("seckill", rule, [{"sku": sku, "stock": stock}], **given)
    return code, f"{code}-{sku}"


def figure(page: Page, name: str) -> Any:
    return page.locator(f'[data-figure="{name}"]')


def test_a_sale_is_watched_while_it_sells(house: House, enter: Callable[..., Page]) -> None:
    code, offer = sale(house, name=f"Evening {EVIL}")
    page = enter("editor", f"/admin/live/{code}")
    expect(page.locator(".live-pulse")).to_have_text("Live")
    expect(page.get_by_role("heading", name=f"Evening {EVIL}")).to_be_visible()
    expect(figure(page, "held")).to_have_text("0")
    assert [house.click(offer, f"watched-{each % 2}") for each in range(3)] == ["won", "won", "already_won"]
    # Nothing was reloaded: the stream has told.
    expect(figure(page, "held")).to_have_text("2")
    expect(figure(page, "left")).to_have_text("3")
    expect(figure(page, "pending")).to_have_text("2")
    expect(page.locator('[data-live="winners"] tr').first).to_contain_text("watched-")
    expect(page.locator('[data-outcome="already_won"] [data-cell="total"]')).to_have_text("1")
    expect(page.locator('[data-chart="rates"] svg > g rect').first).to_be_attached()
    expect(page.locator('[data-part="gateways"] .badge')).to_have_text("works")
    assert page.locator('[data-chart="sold"] .line').get_attribute("d")
    assert_accessible(page)


def test_a_top_up_counts_once_and_a_cut_too_deep_names_the_lowest(
    house: House, enter: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    code, offer = sale(house, stock=3)
    assert [house.click(offer, f"holder-{each}") for each in range(2)] == ["won", "won"]
    page = enter("editor", f"/admin/live/{code}")
    page.get_by_role("link", name="Top up or cut").click()
    dialog = page.locator("#dialog-stock")
    dialog.locator("[name=delta]").fill("4")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    # As two presses that both come before the answer.
    dialog.evaluate(
        "dialog => { const form = dialog.querySelector('form'); form.requestSubmit(); form.requestSubmit(); }"
    )
    expect(dialog.get_by_role("status")).to_have_text("The stock is 7 now, 5 left to sell.")
    expect(page.locator(f'[data-offer="{offer}"] [data-cell="stock"]')).to_have_text("7")
    expect(page.locator("[data-figure=held-hint]")).to_have_text("of 7")
    assert len(sent) == 2
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Top up or cut").click()
    dialog.locator("[name=delta]").fill("-6")
    dialog.get_by_role("button", name="Change the stock").click()
    expect(dialog.get_by_role("status")).to_contain_text("shoppers hold 2 units")
    assert_accessible(page)
    forgiving()
    assert house.api("GET", f"/campaigns/{code}")["items"][0]["stock"] == 7


def test_a_sale_is_paused_and_resumed_without_leaving_the_monitor(house: House, enter: Callable[..., Page]) -> None:
    code, offer = sale(house)
    page = enter("editor", f"/admin/live/{code}")
    page.get_by_role("link", name="Pause the sale").click()
    page.locator("#dialog-pause").get_by_role("button", name="Pause the sale").click()
    expect(page.locator("#dialog-pause").get_by_role("status")).to_contain_text("Done")
    assert house.click(offer, "too-early") == "paused"
    page.locator("#dialog-pause").get_by_role("button", name="Close").click()
    expect(page.locator('[data-live="state"]')).to_have_text("Paused")
    page.get_by_role("link", name="Resume the sale").click()
    page.locator("#dialog-resume").get_by_role("button", name="Resume the sale").click()
    expect(page.locator("#dialog-resume").get_by_role("status")).to_contain_text("Done")
    assert house.click(offer, "in-time") == "won"


@pytest.mark.soak
def test_a_viewer_sees_and_may_not_act_and_nobody_needs_a_script(house: House, enter: Callable[..., Page]) -> None:
    code, _offer = sale(house)
    page = enter("viewer", f"/admin/live/{code}", java_script_enabled=False)
    expect(page.get_by_role("button", name="Pause the sale")).to_be_disabled()
    expect(page.get_by_text("You may look.")).to_be_visible()
    # The page of the question says so as well, and the request itself is refused.
    page.goto(f"{house.url}/admin/live/{code}/pause")
    expect(page.get_by_role("alert")).to_have_text("This is for editors and owners.")
    editor = enter("editor", f"/admin/live/{code}", java_script_enabled=False)
    editor.get_by_role("link", name="Top up or cut").click()
    editor.fill("[name=delta]", "2")
    editor.get_by_role("button", name="Change the stock").click()
    expect(editor.get_by_text("The stock is 7 now, 7 left to sell.")).to_be_visible()


@pytest.mark.soak
def test_reports_and_monitor_fit_a_phone_in_chinese_and_the_dark(
    house: House, enter: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    code, offer = sale(house, name=f"晚間 {EVIL}")
    assert house.click(offer, "reported") == "won"
    page = enter("viewer", f"/admin/reports/{code}", **PHONE)
    expect(page.get_by_role("heading", name=f"晚間 {EVIL}")).to_be_visible()
    expect(page.get_by_text("首位：reported")).to_be_visible()
    assert_accessible(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="下載 CSV").click()
    assert download.value.path().read_text().startswith("campaign,name,state")
    for path in (f"/admin/live/{code}", "/admin/live", "/admin/reports"):
        page.goto(f"{house.url}{path}")
        expect(page.locator(".chart").first).to_be_visible()
        assert_accessible(page)
    page.goto(f"{house.url}/admin/reports?from=2026-02-01&to=2026-01-01")
    expect(page.locator("#to-wrong")).to_be_visible()
    expect(page.locator("#from")).to_have_value("2026-02-01")
    forgiving()


@pytest.mark.soak
def test_a_report_is_printed_on_one_page(house: House, enter: Callable[..., Page]) -> None:
    code, offer = sale(house)
    assert house.click(offer, "printed") == "won"
    page = enter("viewer", f"/admin/reports/{code}")
    page.emulate_media(media="print")
    expect(page.get_by_role("link", name="Download as CSV")).to_be_hidden()
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1


def test_the_calendar_shows_overlaps_and_why_one_goes_first(house: House, enter: Callable[..., Page]) -> None:
    sku = house.product()
    window = {"starts_at": "2038-03-02T00:00:00+08:00", "ends_at": "2038-03-05T00:00:00+08:00"}
    house.campaign("item_discount", {"percent_off": 10}, [{"sku": sku}], name=f"Low {sku} {EVIL}", **window)
    high = house.campaign(
        "item_discount", {"percent_off": 5}, [{"sku": sku}], name=f"High {sku}", priority=9, **window
    )
    page = enter("viewer", "/admin/calendar?day=2038-03-04")
    expect(page.get_by_role("heading", name="March 2038")).to_be_visible()
    row = page.get_by_role("row").filter(has_text=f"Low {sku}")
    # Monday the 1st is empty, then three days of it, then the rest of the month.
    assert [each.get_attribute("colspan") for each in row.locator("td").all()][:3] == ["1", "3", "1"]
    row.get_by_role("link", name="1 overlap").click()
    expect(page.locator("#overlaps")).to_contain_text(
        f"1 product ({sku}). High {sku} goes first: its priority is higher."
    )
    assert_accessible(page)
    page.get_by_role("link", name="Week", exact=True).click()
    expect(page.get_by_role("row").filter(has_text=f"High {sku}").locator(".cal-bar")).to_have_count(1)
    page.get_by_role("link", name="Later").click()
    expect(page.get_by_text("No campaign runs in these days.")).to_be_visible()
    page.go_back()
    page.get_by_role("row").filter(has_text=f"High {sku}").locator(".cal-bar").click()
    expect(page).to_have_url(f"{house.url}/admin/campaigns/{high}")
    phone = enter("viewer", "/admin/calendar?day=2038-03-04", **PHONE)
    expect(phone.locator(".cal-list > li").nth(1)).to_contain_text(f"High {sku}")
    expect(phone.locator("table.cal")).to_be_hidden()
    assert_accessible(phone)


@pytest.mark.soak
def test_a_cart_is_tried_as_somebody_and_explained(
    house: House, enter: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    sku = house.product(name=f"Cup {EVIL}", price=10_000)
    rule = {"mode": "tiers", "tiers": [{"spend": 30_000, "off": 5_000}]}
    house.campaign("threshold_reduction", rule, [{"sku": sku}], name="Much")
    audience = {"kind": "members", "levels": [3]}
    vip = house.campaign(
        "item_discount", {"percent_off": 50}, [{"sku": sku}], name="Vips", priority=5, audience=audience
    )
    page = enter("viewer", "/admin/simulator")
    page.fill("#find", sku)
    page.locator("#find").press("Enter")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".sim-total")).to_contain_text("100.00")
    vips = page.locator(".sim-choices li").filter(has=page.locator(f'a[href$="{vip}"]'))
    expect(vips).to_contain_text("Not for this shopper")
    expect(page.locator(".sim-result")).to_contain_text("CN¥200.00 more reaches the next step: CN¥50.00 off")
    page.fill("#quantity-0", "3")
    page.get_by_role("button", name="Price the cart").click()
    expect(page.locator(".sim-total")).to_contain_text("250.00")
    # The address says all of it, so a colleague sees the same.
    address = page.url
    assert_accessible(page)
    page.select_option("#who", "somebody")
    page.fill("#level", "three")
    page.get_by_role("button", name="Price the cart").click()
    expect(page.locator(".invalid-feedback")).to_have_text("Type a whole number.")
    expect(page.locator("#level")).to_have_value("three")
    forgiving()
    page.fill("#level", "3")
    page.get_by_role("button", name="Price the cart").click()
    expect(page.locator(".sim-total")).to_contain_text("150.00")
    expect(vips).to_contain_text("Applied")
    phone = enter("viewer", address.removeprefix(house.url), **PHONE)
    expect(phone.locator(".sim-total")).to_contain_text("250.00")
    assert_accessible(phone)

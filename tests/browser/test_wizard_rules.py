"""Operators fill in the rule of a campaign and its gifts, are told what is wrong as they type, and lose nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from admin.promotions import registry
from tests.browser.accessible import assert_accessible
from tests.browser.house import House

WINDOW = {"starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-02-01T00:00:00Z"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "locale": "zh-TW", "color_scheme": "dark"}
RIGHT = "Everything here is right."


def drafted(house: House, code: str, type: str, **given: Any) -> str:
    """The address of a new draft in the wizard."""
    house.api("POST", "/campaigns", {"type": type, "code": code, "name": code, "draft": True} | WINDOW | given)
    return f"/admin/wizard/{code}"


def rule_of(house: House, code: str) -> Any:
    return house.api("GET", f"/campaigns/{code}")["rule"]


@pytest.mark.soak
def test_a_ladder_is_typed_corrected_and_saved(house: House, enter: Callable[..., Page]) -> None:
    sku = house.product()
    wizard = drafted(house, "rules-ladder", "threshold_reduction", items=[{"sku": sku}])
    page = enter("editor", f"{wizard}/rule")
    standing = page.locator("[data-standing]")

    # Nobody is blamed for what they could not have typed yet.
    expect(standing).to_have_text("Not everything is filled in yet.")
    expect(page.locator(".rule-error:visible")).to_have_count(0)
    page.get_by_label("Every full amount").check()
    expect(page.get_by_label("At most", exact=True)).to_be_visible()
    page.get_by_label("Tiers: the best").check()
    expect(page.get_by_label("At most", exact=True)).to_be_hidden()
    page.fill("#rule-tiers-0-spend", "1,000")
    page.fill("#rule-tiers-0-off", "100.50")
    page.get_by_role("button", name="Add a row").click()
    expect(page.locator("#rule-tiers-1-spend")).to_be_focused()
    page.keyboard.type("900")
    page.fill("#rule-tiers-1-off", "2oo")

    expect(page.locator("#rule-tiers-1-spend-error")).to_have_text("Must be more than in the row above.")
    expect(page.locator("#rule-tiers-1-off-error")).to_contain_text("such as 99")
    expect(page.locator("#rule-tiers-1-off")).to_have_attribute("aria-invalid", "true")
    assert_accessible(page)
    page.fill("#rule-tiers-1-spend", "3000")
    page.fill("#rule-tiers-1-off", "400")
    expect(standing).to_have_text(RIGHT)
    expect(page.locator(".rule-label")).to_have_text("Up to 400 off")
    page.get_by_role("button", name="Add a row").click()
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Remove row 1").click()
    expect(page.locator(".rule-number").first).to_have_text("1")
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url(f"**{wizard}/goods")

    assert rule_of(house, "rules-ladder")["tiers"] == [{"spend": 300_000, "off": 40_000}]


def test_in_chinese_a_discount_is_typed_as_zhe_on_a_phone(house: House, enter: Callable[..., Page]) -> None:
    sku = house.product(name="水壺 <script>alert(1)</script>", price=100_000)
    wizard = drafted(house, "rules-zhe", "threshold_discount", items=[{"sku": sku}])
    page = enter("editor", f"{wizard}/rule", **PHONE)

    page.get_by_label("滿件", exact=True).check()
    page.fill("[id='rule-tiers-2-0-at']", "２")
    percent = page.locator("[id='rule-tiers-2-0-percent_off']")
    percent.fill("85")

    note = page.locator("[id='rule-tiers-2-0-percent_off-note']")
    expect(note).to_contain_text("視為 8.5 折")
    expect(note).to_contain_text("折扣 15%")
    expect(note).to_contain_text("水壺 <script>alert(1)</script>")
    expect(note).to_contain_text("850.00")
    expect(page.locator(".rule-label")).to_have_text("滿 2 件 8.5 折")
    assert_accessible(page)
    percent.fill("10")
    expect(page.locator("[id='rule-tiers-2-0-percent_off-error']")).not_to_be_empty()
    percent.fill("7.5折")
    expect(page.locator("[data-standing]")).to_have_text("這裡的設定都正確。")
    page.get_by_role("button", name="儲存並繼續").click()
    page.wait_for_url(f"**{wizard}/goods")

    assert rule_of(house, "rules-zhe")["tiers"] == [{"at": 2, "percent_off": 25}]


def test_without_scripts_rows_and_wrong_texts_stay_in_the_form(
    house: House, enter: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    wizard = drafted(house, "rules-plain", "threshold_reduction")
    page = enter("editor", f"{wizard}/rule", java_script_enabled=False)

    page.get_by_label("Tiers: the best").check()
    page.fill("#rule-tiers-0-spend", "ten <b>")
    page.fill("#rule-cap", " kept ")
    page.get_by_role("button", name="Add a row").click()
    expect(page.locator("#rule-tiers-0-spend")).to_have_value("ten <b>")
    expect(page.locator("#rule-cap")).to_have_value(" kept ")
    page.fill("#rule-tiers-1-spend", "300")
    page.fill("#rule-tiers-1-off", "40")
    page.get_by_role("button", name="Save and go on").click()

    wrong = page.locator("#rule-tiers-0-spend")
    expect(wrong).to_have_value("ten <b>")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_accessible_description(re.compile("^Write an amount, such as 99. Spend What the"))
    expect(page.locator("#rule-tiers-1-off")).to_have_value("40")
    forgiving()
    page.get_by_role("button", name="Remove row 1").click()
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url(f"**{wizard}/goods")
    assert rule_of(house, "rules-plain")["tiers"] == [{"spend": 30_000, "off": 4_000}]


def test_gifts_are_found_by_name_with_the_keyboard_and_stay_with_their_tier(
    house: House, enter: Callable[..., Page]
) -> None:
    main, gift = house.product(), house.product(name="Zebra cup <script>alert(2)</script>", gift_only=True)
    rule = {"by": "amount", "tiers": [{"at": 10_000}, {"at": 20_000}]}
    wizard = drafted(house, "rules-gifts", "threshold_gift", items=[{"sku": main}], rule=rule)
    page = enter("editor", f"{wizard}/gifts")

    expect(page.locator(".rule-setting")).to_contain_text("Any product can be a gift")
    field = page.get_by_role("combobox").nth(1)
    field.focus()
    page.keyboard.type("zebra")
    expect(page.get_by_role("option")).to_contain_text(["Zebra cup <script>alert(2)</script>"])
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option")).to_have_attribute("aria-selected", "true")
    assert_accessible(page)
    page.keyboard.press("Enter")
    expect(field).to_have_value(gift)
    expect(page.locator("#rule-tiers-1-gifts-0-sku-note")).to_contain_text("Zebra cup")
    page.get_by_role("combobox").first.fill("nothing-such")
    expect(page.locator("#rule-tiers-0-gifts-0-sku-error")).to_contain_text("There is no product with this SKU")
    page.get_by_role("combobox").first.fill(gift)
    expect(page.locator("[data-standing]")).to_have_text(RIGHT)
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url(f"**{wizard}/check")

    page.goto(f"{house.url}{wizard}/rule")
    page.get_by_role("button", name="Remove row 1").click()
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url(f"**{wizard}/goods")
    given = [{"sku": gift, "quantity": 1, "same_item": False}]
    assert rule_of(house, "rules-gifts")["tiers"] == [{"at": 20_000, "gifts": given, "choose": None}]


def test_every_type_has_its_pages_and_a_running_rule_only_what_may_grow(
    house: House, enter: Callable[..., Page]
) -> None:
    sku = house.product()
    code = house.campaign("group_buy", {"price": 9_000}, [{"sku": sku}])
    page = enter("editor", f"/admin/wizard/{code}/rule")

    expect(page.locator("#rule-price")).to_be_disabled()
    expect(page.get_by_text("this cannot change any more").first).to_be_visible()
    page.fill("#rule-limit_per_shopper", "3")
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator("#rule-limit_per_shopper")).to_have_value("3")
    assert rule_of(house, code)["limit_per_shopper"] == 3
    assert rule_of(house, code)["price"] == 9_000

    for name, promotion in registry.available().items():
        wizard = drafted(house, f"rules-{name.replace('_', '-')}", name, rule=promotion.body["rule"])
        for step in ("rule", "gifts"):
            reply = page.request.get(f"{house.url}{wizard}/{step}")
            asked = step == "rule" or name in {"add_on", "item_gift", "threshold_gift"}
            assert reply.status == (200 if asked else 404), (name, step)
            if asked:
                assert 'data-field="rule.' in reply.text(), (name, step)

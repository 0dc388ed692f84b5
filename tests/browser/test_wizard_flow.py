"""Operators make, copy and change campaigns with the wizard, and lose nothing that they typed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House

Enter = Callable[..., Page]
TAIPEI = timedelta(hours=8)
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "zh-TW", "color_scheme": "dark"}


def local(**ahead: int) -> str:
    """A time from now for a field that asks for one in the shop's zone."""
    return (datetime.now(UTC) + TAIPEI + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M")


def draft(house: House, *skus: str, **given: Any) -> str:
    """A draft that lacks nothing, as its code."""
    body = {
        "type": "item_discount",
        "name": "Autumn",
        "draft": True,
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2036-01-01T00:00:00Z",
        "rule": {"percent_off": 20},
        "items": [{"sku": sku} for sku in skus],
    }
    code: str = house.api("POST", "/campaigns", body | given)["code"]
    return code


def save(page: Page, name: str = "Save and go on") -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_campaign_is_made_step_by_step_tried_and_published(house: House, enter: Enter) -> None:
    sku = house.product(name="Wizard's <script>alert(1)</script> kettle", price=10_000)
    page = enter("editor", "/admin/wizard")
    assert_accessible(page)
    page.get_by_role("button", name="Item discount").click()
    page.get_by_label("Name").first.fill(f"Hat & Broom {sku}")
    page.get_by_label("At once").check()
    page.fill("[name=ends_at]", local(days=2))
    save(page)

    code = f"hat-broom-{sku}"  # Made from the name.
    expect(page).to_have_url(f"{house.url}/admin/wizard/{code}/rule")
    house.api("PATCH", f"/campaigns/{code}", {"rule": {"percent_off": 20}})
    page.goto(f"{house.url}/admin/wizard/{code}/goods")
    page.get_by_placeholder("Name or SKU").type("<script>alert(1)")
    page.locator(f'[name=pick][value="{sku}"]').check()
    page.get_by_role("button", name="Take what is ticked").click()
    row = page.locator(f'[data-sku="{sku}"]')
    expect(row).to_contain_text("Wizard's <script>alert(1)</script> kettle")
    expect(row).to_contain_text("CN¥80.00")
    assert_accessible(page)

    # What is saved as one goes shows at once what it makes of the price.
    row.get_by_label("Fixed price").fill("75")
    expect(row.locator("[data-result]")).to_have_text("CN¥75.00")
    save(page)
    expect(page.get_by_role("heading", name="Ready to publish")).to_be_visible()
    page.locator(f'[name="q.{sku}"]').fill("3")
    page.get_by_role("button", name="Price it").click()
    expect(page.locator("[data-total]")).to_have_text("CN¥225.00")
    assert_accessible(page)
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("heading", name="This campaign is published")).to_be_visible()
    assert house.api("POST", "/quote", {"lines": [{"sku": sku, "quantity": 1}]})["total"] == 7500


def test_what_is_wrong_is_told_beside_its_field_and_the_rest_is_saved(
    house: House, enter: Enter, forgiving: Callable[[], None]
) -> None:
    sku = house.product()
    code = draft(house, sku)
    page = enter("editor", f"/admin/wizard/{code}/basics", java_script_enabled=False)
    page.fill("[name=slogan]", "Only now")
    page.fill("[name='limits.total']", "many")
    page.fill("[name=ends_at]", "")
    save(page)

    expect(page.locator("[id='error-limits.total']")).to_have_text("Write a whole number, such as 100.")
    expect(page.locator("[name='limits.total']")).to_have_value("many")
    stored = house.api("GET", f"/campaigns/{code}")
    assert (stored["slogan"], stored["ends_at"], stored["limits"]) == ("Only now", None, None)

    page.goto(f"{house.url}/admin/wizard/{code}/goods")
    page.locator("summary").click()
    other = house.product()
    page.fill("[name=paste]", f"sku,price\n{sku},50\nnowhere,1\n{other},cheap\n")
    page.get_by_role("button", name="Take the list").click()
    expect(page.get_by_text("Line 3: there is no product nowhere")).to_be_visible()
    expect(page.get_by_text("Line 4: Fixed price: Write an amount")).to_be_visible()
    expect(page.locator("[data-sku]")).to_have_count(1)  # What could be read is saved, and shown so.
    expect(page.locator("[name=paste]")).to_have_value(f"sku,price\n{sku},50\nnowhere,1\n{other},cheap\n")
    assert [(item["sku"], item["price"]) for item in house.api("GET", f"/campaigns/{code}")["items"]] == [
        (sku, 5000)
    ]

    page.goto(f"{house.url}/admin/wizard/{code}")
    expect(page).to_have_url(f"{house.url}/admin/wizard/{code}/basics")
    page.goto(f"{house.url}/admin/wizard/{code}/check")
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
    page.locator("#todo ~ ul").get_by_role("link", name="Basics").click()
    expect(page).to_have_url(f"{house.url}/admin/wizard/{code}/basics")
    forgiving()


def test_typing_survives_a_closed_tab_and_a_reload(house: House, enter: Enter) -> None:
    code = draft(house, house.product(), name="Before")
    page = enter("editor", f"/admin/wizard/{code}/basics")
    page.get_by_label("Name").first.fill(f"Typed into {code}")
    expect(page.locator("[data-saying]")).to_have_text("Saved.")
    page.close()
    page = enter("editor", "/admin/wizard")
    page.get_by_role("link", name=f"Typed into {code}").click()
    page.goto(f"{house.url}/admin/wizard/{code}/basics")
    expect(page.get_by_label("Name").first).to_have_value(f"Typed into {code}")

    # What cannot be saved stays in the window.
    page.fill("[name='limits.total']", "many")
    expect(page.locator("[data-error='limits.total']")).to_have_text("Write a whole number, such as 100.")
    page.reload()
    expect(page.locator("[name='limits.total']")).to_have_value("many")
    expect(page.locator("[data-restored]")).to_be_visible()


def test_who_saves_second_sees_both_and_decides(house: House, enter: Enter, forgiving: Callable[[], None]) -> None:
    code = house.campaign("item_discount", {"percent_off": 5}, [{"sku": house.product()}], slogan="Old")
    page = enter("editor", f"/admin/wizard/{code}/basics")
    house.api("PATCH", f"/campaigns/{code}", {"slogan": "Theirs", "label": "Their label"})
    page.get_by_label("Slogan").first.fill("Mine")
    save(page, "Save changes")

    told = page.locator(".wizard-difference")
    expect(told).to_contain_text("Somebody was faster")
    slogan = told.get_by_role("row", name="Slogan")
    expect(slogan.get_by_role("cell")).to_have_text(["Mine", "Theirs"])
    expect(told.get_by_role("row", name="Label")).to_contain_text("Their label")
    expect(page.get_by_label("Slogan").first).to_have_value("Mine")
    assert_accessible(page)
    assert house.api("GET", f"/campaigns/{code}")["slogan"] == "Theirs"
    told.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    stored = house.api("GET", f"/campaigns/{code}")
    assert (stored["slogan"], stored["label"]) == ("Mine", "Their label")
    forgiving()


def test_a_running_campaign_changes_only_what_its_state_allows(
    house: House, enter: Enter, forgiving: Callable[[], None]
) -> None:
    code = house.campaign("item_discount", {"percent_off": 5}, [{"sku": house.product()}])
    page = enter("editor", f"/admin/wizard/{code}/basics")
    page.locator("summary").click()
    expect(page.locator("[name=priority]")).to_be_disabled()
    expect(page.get_by_text("The campaign is running: this cannot change any more.").first).to_be_visible()
    page.get_by_label("Slogan").first.fill("Last days")
    save(page, "Save changes")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert house.api("GET", f"/campaigns/{code}")["slogan"] == "Last days"

    # Sent all the same, it is refused beside its field.
    page.locator("summary").click()
    page.evaluate("document.querySelector('[name=priority]').disabled = false")
    page.fill("[name=priority]", "9")
    page.get_by_label("Slogan").first.fill("Never")
    save(page, "Save changes")
    expect(page.locator("#error-priority")).to_contain_text("running")
    expect(page.locator("[name=priority]")).to_have_value("9")
    assert house.api("GET", f"/campaigns/{code}")["slogan"] == "Last days"
    forgiving()

    page = enter("viewer", f"/admin/wizard/{code}/basics")
    expect(page.get_by_text("You may look, but only editors may change campaigns.").first).to_be_visible()
    expect(page.get_by_role("button", name="Save changes")).to_have_count(0)


@pytest.mark.soak
def test_a_flash_sale_is_begun_on_a_phone_in_chinese(house: House, enter: Enter) -> None:
    page = enter("editor", "/admin/wizard", **PHONE)
    assert_accessible(page)
    page.get_by_role("button", name="限時秒殺").click()
    expect(page.get_by_text("秒殺由高速閘道販售,無法判斷這一項。".replace(",", "\uff0c")).first).to_be_attached()
    expect(page.get_by_label("新客專屬")).to_be_disabled()
    assert_accessible(page)
    page.get_by_label("名稱").first.fill("雙十二秒殺")
    page.get_by_label("指定時間開始").check()
    page.fill("[name=starts_at]", local(hours=5))
    page.fill("[name=ends_at]", local(hours=6))
    save(page, "儲存並繼續")
    page.wait_for_url("**/rule")
    page.goto(page.url.replace("/rule", "/goods"))
    expect(page.get_by_text("這個類型的商品須逐一列出。")).to_be_visible()
    assert_accessible(page)
    page.goto(page.url.replace("/goods", "/check"))
    expect(page.get_by_role("heading", name="待完成")).to_be_visible()
    assert_accessible(page)


@pytest.mark.soak
def test_a_copy_of_an_old_campaign_begins_at_the_basics(
    house: House, enter: Enter, forgiving: Callable[[], None]
) -> None:
    sku = house.product()
    code = house.campaign("item_discount", {"percent_off": 5}, [{"sku": sku}], name="Spring")
    page = enter("editor", f"/admin/wizard?copy={code}")
    page.fill("[name=name]", "Summer")
    page.fill("[name=code]", code)
    page.get_by_role("button", name="Make the copy").click()
    expect(page.locator("#error-code")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value("Summer")
    page.fill("[name=code]", f"{code}-again")
    page.get_by_role("button", name="Make the copy").click()
    expect(page).to_have_url(f"{house.url}/admin/wizard/{code}-again/basics")
    copy = house.api("GET", f"/campaigns/{code}-again")
    assert (copy["name"], copy["rule"]["percent_off"], [item["sku"] for item in copy["items"]]) == (
        "Summer",
        5,
        [sku],
    )
    forgiving()


def test_a_flash_sale_in_a_session_is_checked_and_published(house: House, enter: Enter) -> None:
    sku = house.product()
    house.api("POST", "/sessions", {"id": f"s-{sku}", "name": "Noon", "starts": "12:00", "ends": "13:30"})
    code = draft(
        house,
        type="seckill",
        starts_at=None,
        ends_at=None,
        rule={"price": 5000, "session": {"id": f"s-{sku}", "date": "2035-05-05"}},
        items=[{"sku": sku, "stock": 5}],
    )
    page = enter("editor", f"/admin/wizard/{code}/check")
    expect(page.locator(".wizard-ready")).to_contain_text("begins by itself 5/5/35, 12:00")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("On from 5/5/35, 12:00")).to_be_visible()

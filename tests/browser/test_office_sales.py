"""What operators do with what is sold: campaigns, orders, refunds, the audit log, and each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House

pytestmark = pytest.mark.browser

Enter = Callable[..., Page]
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "locale": "zh-TW",
}
ORDER = """async ({lines, pay}) => {
  const post = async (path, body) => {
    const headers = {"Content-Type": "application/json", "X-CSRF-Token": document.body.dataset.csrf};
    const reply = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
    if (!reply.ok) throw new Error(await reply.text());
    return reply.json();
  };
  const {token} = await post("/api/quote", {lines});
  const {order_no} = await post("/api/orders", {token});
  if (pay) await post(`/api/orders/${order_no}/pay`, {});
  return order_no;
}"""


def order(page: Page, sku: str, quantity: int, *, pay: bool = True) -> str:
    """An order of whoever is signed in to the storefront."""
    given = {"lines": [{"sku": sku, "quantity": quantity}], "pay": pay}
    return str(page.evaluate(ORDER, given))


def confirm(page: Page, button: str) -> None:
    """Press a button, and then the one in the dialog that it opens."""
    page.get_by_role("button", name=button, exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def test_a_campaign_is_found_paused_resumed_and_ended(
    house: House, enter: Enter, forgiving: Callable[[], None]
) -> None:
    sku = house.product()
    code = house.campaign(
        "item_discount", {"percent_off": 10}, [{"sku": sku}], name="<script>alert(1)</script> week"
    )
    page = enter("editor", f"/admin/campaigns?q={code}&state=running")
    assert_accessible(page)
    page.get_by_role("link", name="<script>alert(1)</script> week").click()
    expect(page.get_by_text("Percent off: 10 %")).to_be_visible()
    assert_accessible(page)
    # Only flash sales are watched live: no link leads nowhere.
    expect(page.get_by_role("link", name="Live monitor")).to_have_count(0)
    # It is on sale, so it cannot be deleted; the page says why.
    expect(page.get_by_role("button", name="Delete or archive")).to_be_disabled()
    expect(page.get_by_text("end it first")).to_be_visible()
    confirm(page, "Pause")
    expect(page.get_by_text(f"{code} is paused.")).to_be_visible()
    # Somebody else changes it while this page is open: that is told where the button is.
    house.api("PATCH", f"/campaigns/{code}", {"slogan": "Now or never"})
    confirm(page, "Resume")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    assert house.api("GET", f"/campaigns/{code}")["state"] == "paused"
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"{code} goes on.")).to_be_visible()
    # Only owners pay everybody back.
    page.get_by_role("button", name="End for good").click()
    expect(page.get_by_label("Pay everybody back")).to_be_disabled()
    page.get_by_role("dialog").get_by_role("button", name="End for good").click()
    expect(page.get_by_text(f"{code} is over.")).to_be_visible()
    expect(page.locator(".list-group-item", has_text="ended for good").first).to_contain_text("editor")
    forgiving()


def test_a_question_is_asked_and_answered_without_scripts(house: House, enter: Enter) -> None:
    code = house.campaign("item_discount", {"percent_off": 10}, [{"sku": house.product()}])
    page = enter("editor", f"/admin/campaigns/{code}", java_script_enabled=False)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Not now").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    confirm(page, "Pause")
    expect(page.get_by_text(f"{code} is paused.")).to_be_visible()


def test_a_wrong_copy_keeps_what_was_typed(house: House, enter: Enter, forgiving: Callable[[], None]) -> None:
    code = house.campaign("item_discount", {"percent_off": 10}, [{"sku": house.product()}])
    page = enter("editor", f"/admin/campaigns/{code}?do=copy")
    dialog = page.get_by_role("dialog")
    for wrong, told in ((code, "already"), ("Not a code", "")):
        dialog.get_by_label("Code of the copy").fill(wrong)
        dialog.get_by_label("Name").fill("Once more")
        dialog.get_by_role("button", name="Copy").click()
        expect(dialog.get_by_label("Code of the copy")).to_have_value(wrong)
        expect(dialog.get_by_label("Name")).to_have_value("Once more")
        expect(dialog.locator("#code-wrong")).to_contain_text(told)
    forgiving()


def test_of_several_campaigns_each_says_what_became_of_it(house: House, enter: Enter) -> None:
    running = house.campaign("item_discount", {"percent_off": 10}, [{"sku": house.product()}])
    draft = f"{running}-draft"
    house.api("POST", "/campaigns", {"type": "item_discount", "code": draft, "name": "A draft", "draft": True})
    page = enter("editor", f"/admin/campaigns?q={running}")
    expect(page.get_by_role("button", name="With the chosen ones")).to_be_disabled()
    page.get_by_label("Choose all of this page").check()
    page.select_option("#action", "delete")
    page.get_by_role("button", name="With the chosen ones").click()
    expect(page.get_by_text("This concerns 2 campaigns:")).to_be_visible()
    page.get_by_role("button", name="Delete drafts").click()
    expect(page.locator("li", has_text=running).filter(has_text="Refused")).to_contain_text("It is no draft.")
    expect(page.locator("li", has_text=draft)).to_contain_text("Done")
    house.api("GET", f"/campaigns/{draft}", expect=404)
    with page.expect_download() as taken:
        page.goto(f"{house.url}/admin/campaigns?q={running}")
        page.get_by_role("link", name="Export this list as CSV").click()
    assert running in taken.value.path().read_text()


def test_a_viewer_changes_nothing_by_button_or_request(
    house: House, enter: Enter, forgiving: Callable[[], None]
) -> None:
    code = house.campaign("item_discount", {"percent_off": 10}, [{"sku": house.product()}])
    page = enter("viewer", f"/admin/campaigns/{code}")
    for name in ("Pause", "Edit", "Copy", "End for good"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    expect(page.get_by_text("Viewers look and do not change anything").first).to_be_visible()
    token = page.context.cookies()
    csrf = next(each["value"] for each in token if each["name"] == "starlette_admin_csrftoken")
    reply = page.request.post(f"{house.url}/admin/campaigns/{code}/pause", form={"csrftoken": csrf})
    assert reply.status == 403
    assert house.api("GET", f"/campaigns/{code}")["state"] == "running"
    page.goto(f"{house.url}/admin/operators")
    expect(page.get_by_text("Only owners decide who may sign in.")).to_be_visible()
    expect(page.get_by_text("Add somebody")).to_have_count(0)
    forgiving()


@pytest.mark.soak
def test_an_order_is_shipped_and_partly_paid_back(
    house: House, enter: Enter, come: Enter, forgiving: Callable[[], None]
) -> None:
    sku = house.product(name="<script>alert(2)</script> pot")
    number = order(come("sally-of-sales"), sku, 2)
    page = enter("editor", f"/admin/orders?q={sku}")
    assert_accessible(page)
    page.get_by_role("link", name=number).click()
    expect(page.get_by_text("<script>alert(2)</script> pot")).to_be_visible()
    expect(page.get_by_role("button", name="Complete", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Ship", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Carrier").fill("Black Cat")
    dialog.get_by_label("Tracking number").fill(" ")
    dialog.get_by_role("button", name="Ship").click()
    # What was wrong is told beside its field, and the rest is still there.
    expect(dialog.locator("#tracking_no-wrong")).to_be_visible()
    expect(dialog.get_by_label("Carrier")).to_have_value("Black Cat")
    dialog.get_by_label("Tracking number").fill("BC-1")
    dialog.get_by_role("button", name="Ship").click()
    expect(page.get_by_text("The order is on its way.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Pay back").click()
    page.get_by_role("button", name="What would be paid back?").click()
    expect(page.get_by_text("Choose at least one unit.")).to_be_visible()
    page.locator("#line-1").fill("1")
    page.get_by_label("Reason, for the audit log").fill("Its lid is broken")
    page.get_by_role("button", name="What would be paid back?").click()
    expect(page.get_by_role("heading", name="would be paid back")).to_contain_text("100.00")
    expect(page.get_by_label("Reason, for the audit log")).to_have_value("Its lid is broken")
    assert_accessible(page)
    page.get_by_role("button", name="Pay back").click()
    expect(page.get_by_text("The money is on its way back.")).to_be_visible()
    assert house.api("GET", f"/orders/{number}")["refunded"] == 10_000
    page.goto(f"{house.url}/admin/audit?kind=order&subject={number}")
    expect(page.get_by_text("Its lid is broken")).to_be_visible()
    assert_accessible(page)
    forgiving()


@pytest.mark.soak
def test_on_a_phone_in_chinese_a_refund_is_decided(house: House, enter: Enter, come: Enter) -> None:
    shop = come("peter-of-sales")
    number = order(shop, house.product(), 1)
    house.api("POST", f"/orders/{number}/ship", {"carrier": "Black Cat", "tracking_no": "BC-2"})
    ask = """async (number) => (await fetch(`/api/orders/${number}/refund`, {method: "POST", body: "{}",
      headers: {"Content-Type": "application/json", "X-CSRF-Token": document.body.dataset.csrf}})).status"""
    assert shop.evaluate(ask, number) == 200
    page = enter("editor", "/admin/", **PHONE)
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    assert_accessible(page)
    page.get_by_role("link", name="審核").click()
    assert_accessible(page)
    page.get_by_role("link", name=number).click()
    assert_accessible(page)
    page.get_by_role("button", name="同意", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="同意", exact=True).click()
    expect(page.get_by_text("款項正在退回。")).to_be_visible()
    for path in ("/admin/campaigns", "/admin/operators"):
        page.goto(f"{house.url}{path}")
        assert_accessible(page)


@pytest.mark.soak
def test_an_owner_lets_somebody_in_and_out_again(
    house: House, enter: Enter, visit: Callable[..., Page], forgiving: Callable[[], None]
) -> None:
    page = enter("owner", "/admin/operators")
    page.get_by_label("Name for signing in").fill("not a name")
    page.get_by_role("button", name="Add, and make a password").click()
    expect(page.locator("#name-wrong")).to_be_visible()
    expect(page.get_by_label("Name for signing in")).to_have_value("not a name")
    page.get_by_label("Name for signing in").fill("nina")
    page.locator("#role").select_option("viewer")
    page.get_by_role("button", name="Add, and make a password").click()
    password = page.locator(".sales-secret").inner_text()
    assert_accessible(page)
    theirs = visit()
    theirs.goto(f"{house.url}/admin/login")
    theirs.fill("[name=username]", "nina")
    theirs.fill("[name=password]", password)
    theirs.click("button[type=submit]")
    expect(theirs.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    # The last owner stays one.
    me = page.locator("li", has_text="(you)")
    me.get_by_role("button", name="Delete").click()
    me.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("only owner")
    page.get_by_role("dialog").get_by_role("button", name="Not now").click()
    row = page.locator("li", has_text="nina")
    row.get_by_role("button", name="Delete").click()
    row.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("nina is deleted.")).to_be_visible()
    theirs.reload()
    expect(theirs.get_by_label("Password")).to_be_visible()
    forgiving()

"""Given operators at plain records, lists and forms of the back office show, change and import them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessible import assert_accessible
from tests.browser.house import House

Enter = Callable[..., Page]
NAME = "<script>alert(1)</script> 銅壺"


def _save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def test_a_product_is_made_from_a_form_that_keeps_what_was_typed(
    enter: Enter, house: House, forgiving: Callable[[], None]
) -> None:
    house.api("POST", "/categories", {"id": "rec-kitchen", "name": "Kitchen"})
    house.api("POST", "/categories", {"id": "rec-pots", "name": "Pots", "parent": "rec-kitchen"})
    page = enter("editor", "/admin/products/create")
    assert_accessible(page)
    page.get_by_label("SKU").fill("rec-made")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Price").fill("99,5x")
    page.get_by_label("Category").select_option(label="Kitchen › Pots")
    _save(page)
    expect(page.locator("#price-error")).to_have_text("Type a number such as 99 or 99.50.")
    expect(page.get_by_label("Price")).to_have_value("99,5x")
    page.get_by_label("Price").fill("99.5")
    page.get_by_label("Level").fill("2")
    _save(page)
    expect(page.locator("[id='membership.days-error']")).to_have_text("This field is required.")
    assert_accessible(page)
    forgiving()
    page.get_by_label("Days").fill("30")
    page.get_by_label("Tags").fill("new, copper")
    _save(page)
    expect(page.get_by_role("alert")).to_contain_text(NAME)
    made = house.api("GET", "/products/rec-made")
    assert (made["price"], made["category"], made["tags"]) == (9950, "rec-pots", ["new", "copper"])
    assert made["membership"] == {"level": 2, "days": 30}
    page.goto(f"{house.url}/admin/products/detail?pk=rec-made")
    expect(page.locator("#tableContent")).to_contain_text("level 2 for 30 days")
    assert_accessible(page)


def test_the_second_of_two_operators_sees_what_the_first_has_changed(
    enter: Enter, house: House, forgiving: Callable[[], None]
) -> None:
    sku = house.product()
    page = enter("editor", f"/admin/products/edit?pk={sku}")
    house.api("PATCH", f"/products/{sku}", {"price": 12_000, "stock": 7})
    page.get_by_label("Price").fill("110")
    page.get_by_label("Name").fill("Mine")
    _save(page)
    expect(page.get_by_role("alert")).to_contain_text("Somebody has changed this in between")
    forgiving()
    assert page.locator(".records-crossed tbody td").all_inner_texts() == ["120.00", "110"]
    expect(page.get_by_label("Stock")).to_have_value("7")
    assert_accessible(page)
    assert house.api("GET", f"/products/{sku}")["price"] == 12_000
    _save(page)
    page.wait_for_url(re.compile("/products/list"))
    kept = house.api("GET", f"/products/{sku}")
    assert (kept["price"], kept["stock"], kept["name"]) == (11_000, 7, "Mine")


@pytest.mark.soak
def test_a_list_is_searched_filtered_sorted_and_changed_at_once(
    enter: Enter, house: House, forgiving: Callable[[], None]
) -> None:
    house.api("POST", "/categories", {"id": "rec-shelf", "name": "Shelf"})
    skus = [house.product(name=f"Ladle {price}", price=price) for price in (3000, 1000, 2000)]
    house.campaign("bundle", {"price": 1500, "components": [{"sku": skus[1], "quantity": 2}]}, [{"sku": skus[1]}])
    page = enter("editor", "/admin/products/list")
    page.get_by_label("Search in list").fill("ladle")
    page.get_by_label("Search in list").press("Enter")
    page.wait_for_url(re.compile("q=ladle"))
    page.get_by_role("link", name="Price").click()
    page.wait_for_url(re.compile("sort=price__asc"))
    expect(page.locator("td[data-column=name]")).to_have_text(["Ladle 1000", "Ladle 2000", "Ladle 3000"])
    page.get_by_label("Select all rows").check()
    page.get_by_role("button", name="With selected").click()
    page.get_by_role("link", name="Change category").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Category").select_option(label="Shelf")
    expect(dialog).to_have_css("opacity", "1")
    assert_accessible(page)
    dialog.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("alert")).to_contain_text("3 products changed.")
    page.get_by_role("button", name="Filters").click()
    row = page.locator("#filter-rows [data-sa-hook=filter-row]")
    row.get_by_label("Field").select_option("category")
    row.get_by_label("Value", exact=True).last.select_option(label="Shelf")
    assert_accessible(page)
    page.get_by_role("button", name="Apply filters").click()
    expect(page.locator("#active-filters")).to_contain_text("Category: is Shelf")
    page.get_by_label("Select all rows").check()
    page.get_by_role("button", name="With selected").click()
    page.locator("#actions-dropdown").get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.get_by_role("alert").first).to_contain_text("2 deleted.")
    expect(page.get_by_role("alert").last).to_contain_text(f"{skus[1]}: the campaign")
    expect(page.locator("td[data-column=sku]")).to_have_text([skus[1]])
    page.get_by_role("row").get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.get_by_role("alert").filter(has_text="take it off there or end")).to_have_count(2)
    forgiving()
    page.get_by_role("button", name="Columns").click()
    assert_accessible(page)
    page.get_by_label("Tags").uncheck()
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.locator("th[data-column=tags]")).to_have_count(0)
    page.get_by_role("link", name="Export").click()
    expect(page.get_by_role("dialog")).to_have_css("opacity", "1")
    assert_accessible(page)
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name="Export").click()
    assert skus[1] in download.value.path().read_text("utf-8-sig")


@pytest.mark.soak
def test_a_coupon_in_chinese_asks_for_what_is_left_of_a_price_and_has_codes_made(
    enter: Enter, house: House
) -> None:
    page = enter(
        "editor",
        "/admin/coupons/create",
        locale="zh-TW",
        color_scheme="dark",
        viewport={"width": 390, "height": 844},
    )
    expect(page.get_by_label("折數")).to_be_hidden()
    page.get_by_label("代碼").fill("REC85")
    page.get_by_label("名稱").fill(NAME)
    page.get_by_label("折扣方式").select_option("percent")
    page.get_by_label("折數").fill("8.5")
    expect(page.get_by_role("status")).to_contain_text("8.5 折 = 15% off")
    page.get_by_label("開始").fill("2026-01-01T00:00")
    page.get_by_label("結束").fill("2036-01-01T08:30")
    page.get_by_label("須先領取").check()
    page.get_by_label("對象").select_option("members")
    page.get_by_label("等級").fill("1、2")
    assert_accessible(page)
    page.get_by_role("button", name="儲存", exact=True).click()
    expect(page.locator("tbody")).to_contain_text("8.5 折（15% off）")
    assert_accessible(page)
    made = house.api("GET", "/coupons/REC85")
    assert (made["percent_off"], made["starts_at"], made["ends_at"]) == (
        15,
        "2026-01-01T00:00:00+08:00",
        "2036-01-01T08:30:00+08:00",
    )
    assert made["audience"] == {"kind": "members", "levels": [1, 2]}
    page.goto(f"{house.url}/admin/coupon-codes/REC85")
    page.get_by_label("數量").fill("2000")
    page.get_by_label("開頭文字").fill("REC-")
    page.get_by_role("button", name="產生代碼").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="下載 CSV").click()
    assert download.value.path().read_text().count("REC-") == 2000
    assert_accessible(page)
    page.goto(f"{house.url}/admin/coupons/edit?pk=REC85")
    page.get_by_label("名稱").fill("會員週")
    page.get_by_role("button", name="儲存", exact=True).click()
    expect(page.locator("tbody")).to_contain_text("會員週")
    changed = house.api("GET", "/coupons/REC85")
    assert {name for name in made if made[name] != changed[name]} == {"name", "revision", "updated_at", "use"}


@pytest.mark.soak
def test_a_csv_file_is_tried_told_its_errors_by_row_and_imported(
    enter: Enter, house: House, forgiving: Callable[[], None]
) -> None:
    page = enter("editor", "/admin/csv/products")
    page.get_by_label("Or paste its text").fill(f"sku,name,price\nrec-csv-1,{NAME},100\nrec-csv-2,,x")
    page.get_by_role("button", name="Try, store nothing").click()
    expect(page.locator("#row-errors tbody tr")).to_have_count(2)
    expect(page.locator("#row-errors")).to_contain_text("want a whole number")
    assert_accessible(page)
    rows = "".join(f"rec-csv-{number},Csv {number},{number}\n" for number in range(1500))
    file = {"name": "products.csv", "mimeType": "text/csv", "buffer": f"sku,name,price\n{rows}".encode()}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Try, store nothing").click()
    expect(page.locator("#outcome")).to_contain_text("tried: it would work")
    house.api("GET", "/products/rec-csv-1", expect=404)
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile("/csv/imports/"))
    expect(page.locator("#outcome [data-state=done]")).to_be_visible()
    assert house.api("GET", "/products/rec-csv-1499")["price"] == 1499
    assert_accessible(page)
    page.goto(f"{house.url}/admin/csv")
    expect(page.locator("tbody tr").first).to_contain_text("1,500")
    assert_accessible(page)
    # A text above the megabyte at which form readers stop by themselves.
    page.goto(f"{house.url}/admin/csv/products")
    long = "sku,name,price\n" + "".join(f"rec-long-{number},{'x' * 200},1\n" for number in range(5000))
    page.get_by_label("Or paste its text").evaluate("(field, text) => { field.value = text; }", long)
    page.get_by_role("button", name="Try, store nothing").click()
    expect(page.locator("#outcome")).to_contain_text("tried: it would work")


def test_a_viewer_looks_at_everything_and_changes_nothing(
    enter: Enter, house: House, forgiving: Callable[[], None]
) -> None:
    sku = house.product()
    page = enter("viewer", "/admin/products/list")
    expect(page.get_by_role("button", name="New product")).to_be_disabled()
    expect(page.get_by_text("Your role only looks").first).to_be_visible()
    expect(page.get_by_role("row").get_by_role("link", name="Delete")).to_have_count(0)
    assert_accessible(page)
    page.goto(f"{house.url}/admin/products/detail?pk={sku}")
    expect(page.get_by_text("Your role only looks")).to_be_visible()
    page.goto(f"{house.url}/admin/csv/products")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    statuses = page.evaluate(
        """(sku) => Promise.all([
            ["/admin/products/create", "sku=rec-no&name=No&price=1"],
            [`/admin/products/edit?pk=${sku}`, "name=No"],
            [`/admin/_api/products/action?name=delete&pks=${sku}`, ""],
            [`/admin/_api/products/row-action?name=delete&pk=${sku}`, ""],
            ["/admin/csv/products", "text=sku,name,price&do=import"],
        ].map(([path, body]) => fetch(path, {method: "POST", body, headers: {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-CSRFToken": Cookies.get("starlette_admin_csrftoken"),
        }}).then((reply) => reply.status)))""",
        sku,
    )
    assert statuses == [403] * 5
    assert house.api("GET", f"/products/{sku}")["revision"] == 1
    forgiving()


@pytest.mark.soak
def test_categories_sessions_and_members_have_forms(enter: Enter, house: House) -> None:
    page = enter("editor", "/admin/categories/create")
    for path, typed in {
        "categories": {"id": "rec-cups", "name": "Cups", "texts.zh-Hant.name": "杯子"},
        "sessions": {"id": "rec-night", "name": "Night", "starts": "22:00", "ends": "02:00"},
        "members": {
            "shopper": "rec/zoe",
            "level": "1",
            "birthday": "02-29",
            "paid.level": "3",
            "paid.until": "2036-01-01T00:00",
        },
    }.items():
        page.goto(f"{house.url}/admin/{path}/create")
        assert_accessible(page)
        for name, text in typed.items():
            page.locator(f"[id='{name}']").fill(text)
        _save(page)
        expect(page.get_by_role("alert")).to_contain_text("added")
    assert house.api("GET", "/categories/rec-cups")["texts"] == {"zh-Hant": {"name": "杯子"}}
    assert house.api("GET", "/sessions/rec-night")["crosses_midnight"] is True
    member = house.api("GET", "/members/rec%2Fzoe")
    assert (member["effective_level"], member["paid"]["until"]) == (3, "2036-01-01T00:00:00+08:00")
    page.goto(f"{house.url}/admin/members/edit?pk=rec%2Fzoe")
    page.locator("[id='paid.level']").fill("")
    page.locator("[id='paid.until']").fill("")
    _save(page)
    page.wait_for_url(re.compile("/members/list"))
    assert house.api("GET", "/members/rec%2Fzoe")["paid"] is None

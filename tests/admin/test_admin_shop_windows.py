"""Given flash sales, promotions and categories, shop windows tell shoppers of those that are for them."""

from __future__ import annotations

from typing import Any

import pytest
from looking import HOUR_MS, Window, campaign, filled
from redis.exceptions import ConnectionError
from sidecar import Api, Shop

from admin.storefront.figures import Figures
from admin.storefront.pages.landing import wants_page
from gateway import offers
from tests.conftest import wait_until


def flash(api: Api, shop: Shop, *skus: str, **about: Any) -> str:
    items = [{"sku": sku, "stock": 4} for sku in skus]
    return campaign(api, shop, "seckill", {"price": 900}, items=items, **about)


def later(shop: Shop, hours: int) -> dict[str, int]:
    return {"starts_at": shop.now_ms() + hours * HOUR_MS, "ends_at": shop.now_ms() + (hours + 1) * HOUR_MS}


def test_flash_sales_come_in_order_with_what_is_left(api: Api, shop: Shop) -> None:
    # Given sales that are on, announced, paused, over, of others, and of products that are not for sale
    kettle, lamp = shop.product(category="light"), shop.product()
    hidden = shop.product()
    soon, today = flash(api, shop, lamp, **later(shop, 2)), flash(api, shop, kettle, **later(shop, 1))
    on = flash(api, shop, lamp, kettle, hidden, slogan="Quick", priority=5)
    api.patch(f"/products/{hidden}", {"on_sale": False})
    paused = flash(api, shop, lamp, priority=-5)
    api.post(f"/campaigns/{paused}/pause", {})
    over = flash(api, shop, lamp)
    api.post(f"/campaigns/{over}/terminate", {})
    members = {"kind": "members", "levels": [2]}
    inside = flash(api, shop, lamp, audience=members)
    shop.sell(f"{on}-{lamp}", 3)

    # Then guests hear of what is for them, in order, and of the figures of the gateway
    view = Window(api)

    def sold() -> bool:
        return bool(view.get(f"/api/flash-sales?campaign={on}")["items"][0]["left"] == 1)

    wait_until(sold, what="figures of this moment")
    found = view.get("/api/flash-sales")["items"]
    first, second, held, near, far = found
    assert [each["offer"] for each in found] == [
        f"{on}-{lamp}",
        f"{on}-{kettle}",
        f"{paused}-{lamp}",
        f"{today}-{kettle}",
        f"{soon}-{lamp}",
    ]
    assert [each["state"] for each in found] == ["running", "running", "paused", "upcoming", "upcoming"]
    assert (first["stock"], first["left"], first["sold_percent"], first["slogan"]) == (4, 1, 75, "Quick")
    assert first["last_sale_at"] is not None
    assert (second["left"], second["sold_percent"], second["last_sale_at"]) == (4, 0, None)
    assert (first["price"], first["original_price"], first["limit"]) == (900, 12900, 1)
    assert held["left"] == near["left"] == far["left"] == 4
    assert f"{inside}-{lamp}" in {each["offer"] for each in Window(api, level=2).get("/api/flash-sales")["items"]}

    # and by product, category and page
    assert len(view.get(f"/api/flash-sales?sku={kettle}")["items"]) == 2
    assert len(view.get("/api/flash-sales?category=light")["items"]) == 2
    offers_of, cursor = [], ""
    while cursor is not None:
        page = view.get(f"/api/flash-sales?limit=2{cursor and '&cursor=' + cursor}")
        offers_of += [each["offer"] for each in page["items"]]
        cursor = page["next"]
    assert offers_of == [each["offer"] for each in found]
    view.get("/api/flash-sales?cursor=x", 422)

    shop.sell(f"{on}-{lamp}", 1)
    wait_until(
        lambda: view.get(f"/api/flash-sales?campaign={on}")["items"][0]["state"] == "sold_out", what="sold out"
    )


def test_pages_are_shown_without_figures_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(offers, "read_all", away)
    assert Figures().of(None, ["sale-kettle"]) == {}  # type: ignore[arg-type]


def test_promotions_are_those_that_are_open_or_announced(api: Api, shop: Shop) -> None:
    kettle = shop.product()
    off = {"percent_off": 10}
    announced = campaign(api, shop, "item_discount", off, kettle, **later(shop, 1), name="Soon")
    low = campaign(api, shop, "item_discount", off, kettle, slogan="Slow", texts={"zh-Hant": {"name": "慢"}})
    high = campaign(
        api, shop, "threshold_reduction", {"mode": "every", "spend": 100, "off": 1}, priority=5, scope="all"
    )
    members = campaign(api, shop, "item_discount", off, kettle, audience={"kind": "members", "levels": [2]})
    campaign(api, shop, "item_discount", off, kettle, channels=["app"])
    over = campaign(api, shop, "item_discount", off, kettle)
    api.post(f"/campaigns/{over}/terminate", {})

    view = Window(api)
    found = view.get("/api/campaigns")["items"]
    assert [(each["code"], each["state"]) for each in found] == [
        (high, "running"),
        (low, "running"),
        (announced, "not_started"),
    ]
    assert found[1]["slogan"] == "Slow"
    assert found[0]["title"] == "Amount off a total"
    assert Window(api, languages="zh-TW").get("/api/campaigns")["items"][1]["name"] == "慢"
    assert members in {each["code"] for each in Window(api, level=2).get("/api/campaigns")["items"]}
    assert [each["code"] for each in view.get("/api/campaigns?type=item_discount")["items"]] == [low, announced]
    page = view.get("/api/campaigns?limit=1")
    assert view.get(f"/api/campaigns?cursor={page['next']}")["items"] == found[1:]
    view.get("/api/campaigns?type=gambling", 422)


def test_categories_count_what_is_on_sale_below_them(api: Api, shop: Shop) -> None:
    filled(api, shop)
    shop.product(sku=shop.unique("free"), category="somewhere")
    found = Window(api).get("/api/categories")["items"]
    assert [(each["id"], each["parent"], each["products"]) for each in found] == [
        ("home", None, 2),
        ("light", "home", 1),
        ("somewhere", None, 1),
    ]
    names = {each["id"]: each["name"] for each in Window(api, languages="zh-TW").get("/api/categories")["items"]}
    assert names == {"home": "家居", "light": "Light", "somewhere": "somewhere"}


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html, application/json", False),
        ("text/html;q=x, application/json;q=0.1", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/json;q=0.5, text/html", True),
    ],
)
def test_a_campaign_s_address_is_a_page_for_who_prefers_one(accept: str, page: bool) -> None:
    assert wants_page(accept) is page


def test_programs_and_people_are_answered_at_one_address(api: Api, shop: Shop) -> None:
    code = campaign(api, shop, "item_discount", {"percent_off": 10}, shop.product())
    html = {"Accept": "text/html"}
    assert api.send("GET", f"/c/{code}", key=None).json()["code"] == code
    page = api.send("GET", f"/c/{code}", key=None, headers=html)
    assert page.headers["content-type"].startswith("text/html")
    assert "<!doctype html>" in page.text
    assert api.send("GET", "/c/nothing", key=None, headers=html).status_code == 404


def test_a_shop_that_was_not_told_of_its_gateway_says_so(api: Api, shop: Shop) -> None:
    code = flash(api, shop, shop.product())
    page = api.send("GET", f"/c/{code}", key=None, headers={"Accept": "text/html"})
    assert "The sale cannot be reached from here" in page.text
    assert "/flash/" not in page.text

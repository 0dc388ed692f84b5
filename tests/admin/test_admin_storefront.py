"""Given shoppers and guests who look around, every price they see is the one that a quote would tell them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from buying import TOKEN_SECRET
from sidecar import Api, Shop

from admin.promotions.cart import QUANTITY_MAX
from gateway.tokens import mint

HOUR_MS = 3_600_000


class Window:
    """A shop window: one shopper's or a guest's view of the storefront."""

    def __init__(self, api: Api, *, level: int | None = None, languages: str = "en") -> None:
        self._api = api
        self._key = None
        if level is not None:
            self._key = mint(TOKEN_SECRET.encode(), f"member {level}", ttl_s=3600, level=level)
        self._languages = languages

    def get(self, path: str, status: int = 200) -> Any:
        return self._api.get(path, status, key=self._key, headers={"Accept-Language": self._languages})

    def quote(self, sku: str, quantity: int = 1, **about: Any) -> Any:
        """The line of a quote for one product."""
        cart = {"lines": [{"sku": sku, "quantity": quantity, **about}], "explain": True}
        return self._api.post("/api/quote", cart, key=self._key)["lines"][0]

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            asked = "&".join(f"{name}={value}" for name, value in query.items())
            page = self.get(f"/api/products?{asked}{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def skus(self, **query: Any) -> list[str]:
        return [each["sku"] for each in self.listed(**query)]


def campaign(api: Api, shop: Shop, kind: str, rule: dict[str, Any], *skus: str, **about: Any) -> str:
    """A campaign that runs now."""
    now = shop.now_ms()
    body = {
        "type": kind,
        "code": shop.unique("c"),
        "name": "Campaign",
        "starts_at": now - HOUR_MS,
        "ends_at": now + HOUR_MS,
        "rule": rule,
        **({"items": [{"sku": sku} for sku in skus]} if skus else {}),
        **about,
    }
    return str(api.post("/campaigns", body, 201)["code"])


TIERS = {"mode": "tiers", "tiers": [{"spend": 30000, "off": 4000}]}


def test_list_prices_are_those_of_a_quote(api: Api, shop: Shop) -> None:
    kettle, lamp, mug, hidden, gift = (
        shop.product(sku="kettle", price=12900, stock=3),
        shop.product(sku="lamp", price=5900, category="light"),
        shop.product(sku="mug", price=900, stock=0),
        shop.product(sku="old", on_sale=False),
        shop.product(sku="bow", gift_only=True),
    )
    week = campaign(api, shop, "item_discount", {"percent_off": 15}, kettle, priority=5, label="Kettle week")
    campaign(api, shop, "threshold_reduction", TIERS, scope="all")
    members = campaign(
        api, shop, "item_discount", {"price": 3000}, lamp, priority=9, audience={"kind": "members", "levels": [2]}
    )
    campaign(api, shop, "item_discount", {"percent_off": 50}, mug, channels=["app"], priority=9)
    for view in (Window(api), Window(api, level=2)):
        page = view.get("/api/products")
        assert page["next"] is None
        assert [each["sku"] for each in page["items"]] == [kettle, lamp, mug]
        assert not {hidden, gift} & {each["sku"] for each in page["items"]}
        for each in page["items"]:
            line = view.quote(each["sku"])
            assert (each["price"], each["promo_price"]) == (line["unit_price"], line["payable"])
            assert each["campaign"] == line["campaign"]
            labels = {choice["campaign"]: choice["label"] for choice in line["choices"]}
            assert each["label"] == labels[each["campaign"]]
    first, second, third = Window(api, level=2).listed()
    assert (first["campaign"], first["label"], first["type"]) == (week, "Kettle week", "item_discount")
    assert (second["campaign"], second["promo_price"]) == (members, 3000)
    assert (first["in_stock"], third["in_stock"]) == (True, False)
    assert Window(api).listed()[1]["promo_price"] == 5900
    assert Window(api).listed(channel="app")[2]["promo_price"] == 450
    assert Window(api, languages="zh-TW").listed()[1]["label"] == "滿 300 減 40"


def test_own_buttons_stand_beside_the_price(api: Api, shop: Shop) -> None:
    now = shop.now_ms()
    kettle = shop.product(price=12900)
    flash = campaign(
        api,
        shop,
        "seckill",
        {"price": 9900},
        starts_at=now + HOUR_MS,
        ends_at=now + 2 * HOUR_MS,
        items=[{"sku": kettle, "stock": 5, "price": 8800}],
    )
    terms = {"deposit": 1000, "multiplier": 3, "mode": "leverage", "on_unpaid": "refund"}
    windows = {"balance_starts_at": now + 2 * HOUR_MS, "balance_ends_at": now + 3 * HOUR_MS}
    presale = campaign(api, shop, "presale", {**terms, **windows}, kettle, priority=3)
    group = campaign(api, shop, "group_buy", {"price": 9000, "size": 3, "hours": 24}, kettle, priority=2)
    [each] = Window(api).listed()
    assert (each["promo_price"], each["campaign"]) == (12900, None)
    buttons = {button["campaign"]: button for button in each["buttons"]}
    assert list(buttons) == [presale, group, flash]
    assert (buttons[flash]["price"], buttons[flash]["offer"]) == (8800, f"{flash}-{kettle}")
    assert (buttons[flash]["state"], buttons[group]["state"]) == ("not_started", "running")
    assert buttons[presale]["deposit"] == 1000
    for code in (presale, group):
        line = Window(api).quote(kettle, campaign=code)
        assert (line["campaign"], buttons[code]["price"]) == (code, line["payable"])
    assert Window(api).skus(type="seckill") == [kettle]
    assert Window(api).skus(type="bundle") == []


def test_the_product_page_tells_what_each_promotion_would_make_of_it(api: Api, shop: Shop) -> None:
    kettle, mug, lamp = shop.product(price=12900, stock=20), shop.product(price=900), shop.product(price=5000)
    reduction = campaign(api, shop, "threshold_reduction", TIERS, kettle, priority=5, slogan="Three are less")
    discount = campaign(
        api, shop, "threshold_discount", {"by": "count", "tiers": [{"at": 2, "percent_off": 30}]}, kettle
    )
    gifts = campaign(
        api,
        shop,
        "threshold_gift",
        {"by": "count", "mode": "best", "tiers": [{"at": 4, "gifts": [{"sku": mug, "quantity": 2}]}]},
        kettle,
    )
    add_on = campaign(
        api, shop, "add_on", {"tiers": [{"spend": 0, "options": [{"sku": lamp, "price": 900}]}]}, kettle
    )
    bundle = campaign(
        api,
        shop,
        "bundle",
        {"price": 13000, "components": [{"sku": kettle, "quantity": 1}, {"sku": lamp, "quantity": 1}]},
        items=[{"sku": kettle}, {"sku": lamp}],
    )
    far = campaign(api, shop, "threshold_reduction", {**TIERS, "tiers": [{"spend": 10**11, "off": 1}]}, kettle)
    later = campaign(
        api,
        shop,
        "item_discount",
        {"price": 1},
        kettle,
        priority=99,
        starts_at=shop.now_ms() + HOUR_MS,
        ends_at=shop.now_ms() + 2 * HOUR_MS,
    )
    members = campaign(api, shop, "item_discount", {"price": 5}, kettle, audience={"kind": "members"})
    view = Window(api)
    page = view.get(f"/api/products/{kettle}")
    found = {each["code"]: each for each in page["campaigns"]}
    assert set(found) == {reduction, discount, gifts, add_on, bundle, far, later, members}
    assert [code for code, each in found.items() if each["default"]] == [reduction] == [page["campaign"]]
    reached = {code: each["reach_quantity"] for code, each in found.items()}
    assert reached == {
        reduction: 3,
        discount: 2,
        gifts: 4,
        add_on: 1,
        bundle: None,
        far: None,
        later: 1,
        members: 1,
    }
    for code in (reduction, discount, gifts, add_on):
        line = view.quote(kettle, reached[code], campaign=code)
        assert found[code]["reach_total"] == line["payable"]
        assert found[code]["unit_price"] == line["unit_payables"][0]
        assert [each["state"] for each in line["choices"] if each["campaign"] == code] == ["applied"]
        if reached[code] > 1:
            short = view.quote(kettle, reached[code] - 1, campaign=code)
            assert [each["state"] for each in short["choices"] if each["campaign"] == code] == ["not_reached"]
    assert [gift["gifts"][0]["quantity"] for gift in found[gifts]["gifts"]] == [2]
    assert [(each["sku"], each["price"]) for each in found[add_on]["add_ons"]] == [(lamp, 900)]
    assert (found[reduction]["slogan"], found[reduction]["choice"]) == ("Three are less", "not_reached")
    assert (found[later]["state"], found[later]["unit_price"]) == ("not_started", 1)
    assert found[members]["choice"] == "not_eligible"
    assert found[members]["reason"].startswith("members_only: ")
    assert page["left"] == 20
    assert QUANTITY_MAX * 12900 < 10**11
    api.patch(f"/products/{kettle}", {"stock": 21})
    assert view.get(f"/api/products/{kettle}")["left"] is None
    api.patch(f"/products/{kettle}", {"gift_only": True})
    view.get(f"/api/products/{kettle}", 404)
    view.get("/api/products/none", 404)


@pytest.fixture
def shelf(api: Api, shop: Shop) -> list[str]:
    """Six products in two categories, one of them below the other."""
    for body in (
        {"id": "home", "name": "Home", "texts": {"zh-Hant": {"name": "家居"}}},
        {"id": "light", "name": "Light", "parent": "home"},
    ):
        api.post("/categories", body, 201)
    about: list[dict[str, Any]] = [
        {"sku": "b2", "name": "Ｂulb", "price": 300, "category": "light", "tags": ["warm"]},
        {"sku": "a1", "name": "cup", "price": 100, "category": "home"},
        {"sku": "c3", "name": "Apple", "price": 300},
        {"sku": "d4", "name": "cup", "price": 200},
        {"sku": "e5", "name": "Duck", "price": 50},
        {"sku": "f6", "name": "Egg", "price": 400, "on_sale": False},
    ]
    return [shop.product(**each) for each in about]


def test_lists_are_sorted_and_paged(api: Api, shop: Shop, shelf: list[str]) -> None:
    campaign(api, shop, "item_discount", {"price": 10}, "b2")
    view = Window(api)
    orders = {
        "": ["a1", "b2", "c3", "d4", "e5"],
        "name": ["c3", "b2", "a1", "d4", "e5"],
        "price": ["e5", "a1", "d4", "b2", "c3"],
        "-price": ["b2", "c3", "d4", "a1", "e5"],
        "promo_price": ["b2", "e5", "a1", "d4", "c3"],
        "-promo_price": ["c3", "d4", "a1", "e5", "b2"],
        "newest": ["e5", "d4", "c3", "a1", "b2"],
    }
    for sort, expected in orders.items():
        asked = {"sort": sort} if sort else {}
        assert view.skus(limit=2, **asked) == view.skus(**asked) == expected, sort
        prices = [each["promo_price"] for each in view.listed(**asked)]
        if sort.endswith("promo_price"):
            assert prices == sorted(prices, reverse=sort.startswith("-"))


def test_a_page_begins_where_the_last_one_ended_whatever_changed(api: Api, shop: Shop, shelf: list[str]) -> None:
    view = Window(api)
    for sort, expected in (("price", ["d4", "b2"]), ("promo_price", ["d4", "b2"]), ("name", ["a1", "d4"])):
        cursor = view.get(f"/api/products?limit=2&sort={sort}")["next"]
        again = view.get(f"/api/products?limit=2&sort={sort}&cursor={cursor}")
        assert [each["sku"] for each in again["items"]] == expected
    by_price = view.get("/api/products?limit=2&sort=promo_price")["next"]
    api.patch("/products/a1", {"price": 1})
    api.delete("/products/d4")
    rest = view.get(f"/api/products?sort=promo_price&cursor={by_price}")
    assert [each["sku"] for each in rest["items"]] == ["b2", "c3"]
    for wrong in ("price", "name"):
        cursor = view.get("/api/products?limit=1")["next"]
        view.get(f"/api/products?sort={wrong}&cursor={cursor}", 422)
    for query in ("sort=cheap", "type=lottery", "limit=501", "colour=red", "channel=tv", "campaign=UP"):
        view.get(f"/api/products?{query}", 422)


def test_a_change_of_a_price_or_a_campaign_is_in_the_next_list(api: Api, shop: Shop, shelf: list[str]) -> None:
    view = Window(api)
    assert view.skus(sort="promo_price")[0] == "e5"
    api.patch("/products/c3", {"price": 2})
    assert view.skus(sort="promo_price")[0] == "c3"
    code = campaign(api, shop, "item_discount", {"price": 1}, "d4")
    assert view.skus(sort="promo_price")[0] == "d4"
    assert view.skus(q="d4 shiny") == []
    api.patch("/products/d4", {"name": "Shiny cup"})
    assert view.skus(q="d4 shiny") == ["d4"]
    api.post(f"/campaigns/{code}/pause")
    assert view.skus(sort="promo_price")[0] == "c3"


def test_sorted_prices_are_those_of_who_asks(api: Api, shop: Shop, shelf: list[str]) -> None:
    campaign(api, shop, "item_discount", {"price": 1}, "a1", audience={"kind": "members", "levels": [3]})
    campaign(api, shop, "item_discount", {"price": 2}, "c3", channels=["app"])
    firsts = {
        (3, "web"): "a1",
        (None, "web"): "e5",
        (None, "app"): "c3",
        (3, "app"): "a1",
        (2, "web"): "e5",
    }
    for _ in range(2):
        for (level, channel), expected in firsts.items():
            assert Window(api, level=level).skus(sort="promo_price", channel=channel)[0] == expected


def test_words_are_found_in_products_categories_and_promotions(api: Api, shop: Shop, shelf: list[str]) -> None:
    now = shop.now_ms()
    campaign(
        api,
        shop,
        "threshold_reduction",
        {"mode": "every", "spend": 20000, "off": 1000},
        "a1",
        "b2",
        name="Summer fair",
        slogan="Sunny days",
        texts={"ja": {"name": "夏祭り"}},
    )
    campaign(api, shop, "item_discount", {"percent_off": 5}, "d4", label="VIP day", audience={"kind": "members"})
    campaign(
        api,
        shop,
        "item_discount",
        {"percent_off": 5},
        "e5",
        name="Winter",
        starts_at=now + 1,
        ends_at=now + HOUR_MS,
    )
    campaign(api, shop, "threshold_discount", TEN, scope="category", categories=["home"], exclude=["a1"])
    later = campaign(
        api, shop, "item_discount", {"percent_off": 6}, "c3", starts_at=now + HOUR_MS, ends_at=now + 2 * HOUR_MS
    )
    view = Window(api)
    found = {
        "CUP": ["a1", "d4"],
        "bulb": ["b2"],
        "WARM": ["b2"],
        "light": ["b2"],
        "%E5%AE%B6%E5%B1%85": ["a1", "b2"],
        "summer+FAIR": ["a1", "b2"],
        "sunny": ["a1", "b2"],
        "%E5%A4%8F%E7%A5%AD": ["a1", "b2"],
        "%E6%BB%BF%E6%B8%9B": ["a1", "b2"],
        "every+200": ["a1", "b2"],
        "%E6%BB%BF%E6%8A%98": ["b2"],
        "summer+cup": ["a1"],
        "vip": [],
        later: [],
        "nothing": [],
    }
    for word, expected in found.items():
        assert view.skus(q=word) == expected, word
    assert Window(api, level=1).skus(q="vip") == ["d4"]
    assert view.skus(type="threshold_reduction") == ["a1", "b2"]
    assert view.skus(type="threshold_discount", q="bulb") == ["b2"]
    assert view.skus(campaign=later) == view.skus(campaign="none") == []
    assert view.skus(category="home", sort="-price") == ["b2", "a1"]
    assert view.skus(category="light") == ["b2"]


TEN = {"by": "count", "tiers": [{"at": 2, "percent_off": 10}]}


def test_a_campaign_page_tells_its_rule_and_its_goods(api: Api, shop: Shop, shelf: list[str]) -> None:
    code = campaign(api, shop, "item_discount", {"percent_off": 10}, "b2", "c3", name="Ten off", exclude=["c3"])
    campaign(api, shop, "item_discount", {"percent_off": 50}, "b2", priority=3)
    view = Window(api)
    page = view.get(f"/api/campaigns/{code}")
    linked = view.get(f"/c/{code}")
    assert {**linked, "server_time": page["server_time"]} == page
    assert (page["name"], page["state"], page["open"], page["reason"]) == ("Ten off", "running", True, None)
    assert (page["rule"], page["label"]) == (["Percent off: 10 %"], "10% off")
    [good] = page["items"]
    assert (good["sku"], good["promo_price"], good["campaign_price"]) == ("b2", 150, 270)
    assert Window(api, languages="zh").get(f"/c/{code}")["title"] == "單品促銷"
    api.post(f"/campaigns/{code}/pause")
    assert view.get(f"/c/{code}")["state"] == "paused"
    api.post(f"/campaigns/{code}/terminate", {})
    ended = view.get(f"/c/{code}")
    assert (ended["state"], ended["open"], ended["items"][0]["campaign_price"]) == ("ended", False, None)
    assert ended["reason"].startswith("ended: ")
    view.get("/c/none", 404)


def test_who_may_see_a_campaign_page(api: Api, shop: Shop, shelf: list[str]) -> None:
    now = shop.now_ms()
    hidden = campaign(api, shop, "item_discount", {"percent_off": 10}, "b2", draft=True)
    in_app = campaign(api, shop, "item_discount", {"percent_off": 10}, "b2", channels=["app"])
    coming = campaign(
        api,
        shop,
        "item_discount",
        {"percent_off": 10},
        scope="category",
        categories=["home"],
        audience={"kind": "members"},
        starts_at=now + HOUR_MS,
        ends_at=now + 2 * HOUR_MS,
    )
    view = Window(api)
    view.get(f"/c/{hidden}", 404)
    view.get(f"/c/{in_app}", 404)
    assert view.get(f"/c/{in_app}?channel=app")["open"] is True
    page = view.get(f"/c/{coming}?limit=1")
    rest = view.get(f"/c/{coming}?limit=1&cursor={page['next']}")
    assert [each["sku"] for each in page["items"] + rest["items"]] == ["a1", "b2"]
    assert (page["state"], page["reason"].split(":")[0]) == ("not_started", "members_only")
    told = Window(api, level=1).get(f"/c/{coming}")
    assert (told["reason"].split(":")[0], told["items"][0]["campaign_price"]) == ("not_started", 90)


def test_an_archived_campaign_is_gone(api: Api, shop: Shop) -> None:
    sale = shop.campaign()
    shop.order(sale.items[0].offer, status="cancelled")
    api.post(f"/campaigns/{sale.code}/terminate", {})
    view = Window(api)
    assert view.get(f"/c/{sale.code}")["state"] == "ended"
    assert api.delete(f"/campaigns/{sale.code}")["archived"] == sale.code
    view.get(f"/c/{sale.code}", 404)


def test_sessions_tell_the_offers_of_eight_days(api: Api, shop: Shop) -> None:
    zone = shop.resources.zone
    today = datetime.fromtimestamp(shop.now_ms() / 1000, zone).date()
    kettle = shop.product(sku=shop.unique("kettle"), price=12900)
    api.post("/sessions", {"id": "late", "name": "Late", "starts": "23:00", "ends": "01:00"}, 201)
    api.post("/sessions", {"id": "noon", "name": "Noon", "starts": "12:00", "ends": "14:00"}, 201)
    day = (today + timedelta(days=2)).isoformat()
    body = {
        "type": "seckill",
        "code": shop.unique("noon"),
        "name": "Noon sale",
        "rule": {"price": 9900, "session": {"id": "noon", "date": day}},
        "items": [{"sku": kettle, "stock": 5}],
    }
    code = api.post("/campaigns", body, 201)["code"]
    days = Window(api).get("/api/sessions")["items"]
    noon = [each for each in days if each["id"] == "noon"]
    assert [each["date"] for each in noon] == [(today + timedelta(days=ahead)).isoformat() for ahead in range(8)]
    assert [each["starts_at"] for each in days] == sorted(each["starts_at"] for each in days)
    [held] = [each for each in days if each["offers"]]
    assert (held["id"], held["date"], held["state"]) == ("noon", day, "not_started")
    assert held["starts_at"] == f"{day}T12:00:00+08:00"
    [offer] = held["offers"]
    assert (offer["offer"], offer["price"], offer["original_price"]) == (f"{code}-{kettle}", 9900, 12900)
    api.post(f"/campaigns/{code}/terminate", {})
    assert not any(each["offers"] for each in Window(api).get("/api/sessions")["items"])


def test_a_token_that_is_not_genuine_is_refused(api: Api) -> None:
    for path in ("/api/products", "/api/sessions"):
        assert api.send("GET", path, key="wrong").status_code == 401
        assert api.send("GET", path, key=None).status_code == 200

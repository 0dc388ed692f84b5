"""Given a list of products, it is sorted, paged, filtered and searched at the prices of whoever asks.

Lists come out of memory: what they read from a database is tested on both in `test_admin_storefront`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from looking import HOUR_MS, Window, campaign, filled
from sidecar import Api, Shop

TEN = {"by": "count", "tiers": [{"at": 2, "percent_off": 10}]}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(autouse=True)
def shelf(api: Api, shop: Shop) -> None:
    filled(api, shop)


def test_lists_are_sorted_and_paged(api: Api, shop: Shop) -> None:
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


def test_a_page_begins_where_the_last_one_ended_whatever_changed(api: Api, shop: Shop) -> None:
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


def test_a_change_of_a_price_or_a_campaign_is_in_the_next_list(api: Api, shop: Shop) -> None:
    view = Window(api)
    assert view.skus(sort="promo_price")[0] == "e5"
    api.patch("/products/c3", {"price": 2})
    assert view.skus(sort="promo_price")[0] == "c3"
    code = campaign(api, shop, "item_discount", {"price": 1}, "d4")
    assert view.skus(sort="promo_price")[0] == "d4"
    assert view.skus()[0] == "a1"
    shop.product(sku="a0", price=10**6)
    assert view.skus()[0] == view.skus(sort="-promo_price")[0] == "a0"
    api.delete("/products/a0")
    assert view.skus()[0] == "a1"
    assert view.skus(q="d4 shiny") == []
    api.patch("/products/d4", {"name": "Shiny cup"})
    assert view.skus(q="d4 shiny") == ["d4"]
    api.post(f"/campaigns/{code}/pause")
    assert view.skus(sort="promo_price")[0] == "c3"


def test_sorted_prices_are_those_of_who_asks(api: Api, shop: Shop) -> None:
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


def test_words_are_found_in_products_categories_and_promotions(api: Api, shop: Shop) -> None:
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

"""Given shoppers and guests who look around, every price they see is the one that a quote would tell them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from looking import HOUR_MS, Window, campaign, filled
from sidecar import Api, Shop

from admin.promotions.cart import QUANTITY_MAX

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
    soon = {"starts_at": now + HOUR_MS, "ends_at": now + 2 * HOUR_MS, "audience": {"kind": "members"}}
    members = campaign(api, shop, "group_buy", {"price": 8000, "size": 2, "hours": 24}, kettle, **soon)
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
    shown = {each["campaign"] for each in Window(api, level=1).listed()[0]["buttons"]}
    assert shown == {presale, group, flash, members}
    assert Window(api).skus(type="seckill") == [kettle]
    assert Window(api).skus(type="bundle") == []


def stepwise(mug: str, lamp: str) -> dict[str, dict[str, Any]]:
    """Rules with a first step."""
    return {
        "threshold_reduction": TIERS,
        "threshold_discount": {"by": "count", "tiers": [{"at": 2, "percent_off": 30}]},
        "threshold_gift": {
            "by": "count",
            "mode": "best",
            "tiers": [{"at": 4, "gifts": [{"sku": mug, "quantity": 2}]}],
        },
        "add_on": {"tiers": [{"spend": 0, "options": [{"sku": lamp, "price": 900}]}]},
    }


def test_the_product_page_tells_what_each_promotion_would_make_of_it(api: Api, shop: Shop) -> None:
    kettle, mug, lamp = shop.product(price=12900, stock=20), shop.product(price=900), shop.product(price=5000)
    reduction, discount, gifts, add_on = (
        campaign(api, shop, kind, rule, kettle, slogan=f"About {kind}", priority=9 - place)
        for place, (kind, rule) in enumerate(stepwise(mug, lamp).items())
    )
    parts = [{"sku": kettle, "quantity": 1}, {"sku": lamp, "quantity": 1}]
    bundle = campaign(api, shop, "bundle", {"price": 13000, "components": parts}, kettle, lamp)
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
    assert (found[reduction]["slogan"], found[reduction]["choice"]) == ("About threshold_reduction", "not_reached")
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


def test_a_campaign_page_tells_its_rule_and_its_goods(api: Api, shop: Shop) -> None:
    filled(api, shop)
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


def test_lists_go_by_the_age_of_products_and_the_names_of_categories(api: Api, shop: Shop) -> None:
    filled(api, shop)
    view = Window(api)
    assert view.skus(sort="newest") == ["e5", "d4", "c3", "a1", "b2"]
    assert view.skus(sort="newest", q="%E5%AE%B6%E5%B1%85") == ["a1", "b2"]
    api.patch("/categories/light", {"name": "Lamps"})
    assert view.skus(q="lamps") == ["b2"]
    assert view.skus(q="light") == []


def test_who_may_see_a_campaign_page(api: Api, shop: Shop) -> None:
    filled(api, shop)
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

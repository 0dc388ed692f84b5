"""Given an operator's campaign, it is checked in full, and sold at the next click when it is in order."""

from __future__ import annotations

from sidecar import ACTOR, Api, Shop, click, fields_of

from admin.campaigns import service
from gateway import offers as published


def test_the_next_click_finds_a_campaign_answered_201(api: Api, shop: Shop) -> None:
    sku, other = shop.product(name="銅壺", image="/k.jpg", category="kitchen"), shop.product()
    body = shop.body(
        slogan="Two hours only",
        audience={"kind": "members", "levels": [1, 2]},
        rule={"price": 9900, "limit_per_shopper": 2, "pay_within_s": 600},
        items=[{"sku": sku, "stock": 100}, {"sku": other, "stock": 20, "price": 4900}],
    )
    made = api.post("/campaigns", body, 201)
    offer = shop.offer(f"{body['code']}-{sku}")
    assert (offer.price, offer.limit, offer.pay_within_ms, offer.left, offer.state) == (
        9900,
        2,
        600_000,
        100,
        "open",
    )
    assert (offer.starts_at_ms, offer.ends_at_ms) == (body["starts_at"], body["ends_at"])
    assert offer.card == {
        "sku": sku,
        "name": "銅壺",
        "image": "/k.jpg",
        "original_price": 12900,
        "slogan": "Two hours only",
        "category": "kitchen",
        "session": None,
        "campaign": body["code"],
        "currency": "CNY",
        "audience": {"kind": "members", "levels": [1, 2]},
        "demo": False,
    }
    assert shop.offer(f"{body['code']}-{other}").price == 4900
    assert (made["state"], made["revision"], made["coupons_allowed"]) == ("running", 1, False)
    assert made["label"] == "Flash sale from 49.00"
    assert made["labels"]["zh-Hant"] == "秒殺價 49.00 起"
    assert [(each["offer_state"], each["offer_price"]) for each in made["items"]] == [
        ("open", 9900),
        ("open", 4900),
    ]
    assert (shop.free(sku), shop.free(other)) == (400, 480)


def test_a_label_comes_in_the_readers_language_unless_typed(api: Api, shop: Shop) -> None:
    body = shop.body()
    chinese = {"Accept-Language": "zh-TW,zh;q=0.9,en;q=0.5"}
    assert api.post("/campaigns", body, 201, headers=chinese)["label"] == "秒殺價 99.00"
    api.patch(f"/campaigns/{body['code']}", {"label": "中午秒殺"})
    assert api.get(f"/campaigns/{body['code']}")["label"] == "中午秒殺"
    wide = {"label": "秒" * 13}
    assert fields_of(api.patch(f"/campaigns/{body['code']}", wide, 422)) == {"label": "too_wide"}


def test_a_code_is_made_when_none_is_given(shop: Shop) -> None:
    body = shop.body()
    del body["code"]
    assert service.create(shop.resources, body, actor=ACTOR).code.startswith("seckill-")


def test_only_services_make_demo_campaigns(api: Api, shop: Shop) -> None:
    made = service.create(shop.resources, shop.body(), actor=ACTOR, demo=True)
    assert made.demo
    assert shop.offer(str(made.items[0].offer)).card["demo"] is True
    assert fields_of(api.post("/campaigns", shop.body(demo=True), 422)) == {"demo": "unknown_field"}


def test_two_ways_to_one_offer_id_are_refused(api: Api, shop: Shop) -> None:
    word = shop.unique("x")
    first, second = shop.product(sku=f"b-{word}"), shop.product(sku=word)
    api.post("/campaigns", shop.body(code="a", items=[{"sku": first, "stock": 1}]), 201)
    clash = shop.body(code="a-b", items=[{"sku": second, "stock": 1}])
    assert fields_of(api.post("/campaigns", clash, 422)) == {"items.0.sku": "offer_id_taken"}
    assert shop.free(second) == 500


def test_a_code_is_taken_once(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    assert api.post("/campaigns", shop.body(code=campaign.code), 409)["field"] == "code"


def test_two_campaigns_cannot_promise_the_same_units(api: Api, shop: Shop) -> None:
    sku = shop.product(stock=150)
    shop.campaign(items=[{"sku": sku, "stock": 100}])
    second = shop.body(items=[{"sku": sku, "stock": 51}])
    assert fields_of(api.post("/campaigns", second, 422)) == {"items.0.stock": "not_enough_stock"}


# Drafts.


def test_a_draft_may_be_incomplete_and_is_published_when_it_is_not(api: Api, shop: Shop) -> None:
    code, sku = shop.unique("draft"), shop.product()
    made = api.post("/campaigns", {"type": "seckill", "code": code, "draft": True}, 201)
    assert (made["state"], made["items"]) == ("draft", [])
    path = f"/campaigns/{code}"
    missing = fields_of(api.post(f"{path}/publish", status=422))
    assert missing == dict.fromkeys(("name", "starts_at", "ends_at", "items", "rule.price"), "missing")
    for action in ("terminate", "pause", "resume"):
        assert api.post(f"{path}/{action}", status=409)["state"] == "draft"
    now = shop.now_ms()
    api.patch(path, {"name": "Sale", "starts_at": now - 1, "ends_at": now + 60_000, "rule": {"price": 100}})
    api.post(f"{path}/items", {"sku": sku, "stock": 7}, 201)
    assert published.read(shop.resources.redis, f"{code}-{sku}") is None
    assert shop.free(sku) == 500
    assert api.post(f"{path}/publish", {})["state"] == "running"
    assert click(shop.resources.redis, f"{code}-{sku}", ["ann"]) == ["W"]
    assert api.post(f"{path}/publish", status=409)["state"] == "running"

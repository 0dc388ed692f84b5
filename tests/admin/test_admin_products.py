"""Given operators at the catalogue, products are made, shown, changed and deleted."""

from __future__ import annotations

import pytest
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import select

from admin import changes
from admin.catalog import service as catalog
from admin.catalog.holding import campaign_with_product
from admin.catalog.tables import products
from gateway.orders.database import now_ms, reading


def test_a_product_lives_and_dies(api: Api) -> None:
    body = {
        "sku": "kettle",
        "name": "銅壺 Kettle",
        "price": 12900,
        "cost": 7000,
        "stock": 5,
        "category": "kitchen",
        "tags": ["new"],
        "image": "/k.jpg",
        "description": "One.\nTwo.",
        "gift_only": False,
        "on_sale": True,
        "membership": {"level": 2, "days": 365},
    }
    made = api.post("/products", body, 201)
    assert {name: made[name] for name in body} == body
    assert (made["reserved"], made["free"], made["revision"]) == (0, 5, 1)
    assert made["created_at"].endswith("+08:00")
    assert api.get("/products/kettle") == made
    changed = api.patch("/products/kettle", {"price": 11900, "cost": None, "membership": None})
    assert (changed["price"], changed["cost"], changed["membership"]) == (11900, None, None)
    assert (changed["revision"], changed["name"]) == (2, body["name"])
    assert api.delete("/products/kettle") == {"deleted": "kettle"}
    api.get("/products/kettle", 404)
    actions = [each["action"] for each in api.get("/audit?kind=product&subject=kettle")["items"]]
    assert actions == ["delete", "change", "create"]


def test_a_sku_is_taken_once(api: Api) -> None:
    body = {"sku": "kettle", "name": "Kettle", "price": 1}
    api.post("/products", body, 201)
    assert api.post("/products", body, 409)["field"] == "sku"


def test_a_stale_revision_is_refused(api: Api, shop: Shop) -> None:
    path = f"/products/{shop.product()}"
    tag = api.send("GET", path).headers["etag"]
    assert tag == '"1"'
    api.patch(path, {"price": 1}, headers={"If-Match": tag})
    assert api.patch(path, {"price": 2}, 412, headers={"If-Match": tag})["revision"] == 2
    api.delete(path, 412, headers={"If-Match": "1"})
    assert api.get(path)["price"] == 1
    api.patch(path, {"price": 3}, headers={"If-Match": "*"})
    api.delete(path, headers={"If-Match": 'W/"3"'})


def test_null_clears_only_what_may_be_empty(api: Api, shop: Shop) -> None:
    path = f"/products/{shop.product()}"
    fields = ("name", "price", "stock", "tags", "gift_only", "on_sale")
    assert set(fields_of(api.patch(path, dict.fromkeys(fields), 422))) == set(fields)
    assert fields_of(api.patch(path, {"sku": "other"}, 422)) == {"sku": "unknown_field"}


def test_pages_follow_each_other(api: Api) -> None:
    for number in range(7):
        api.post("/products", {"sku": f"p{number}", "name": "P", "price": 1, "on_sale": number != 3}, 201)
    seen, cursor = [], ""
    while True:
        page = api.get(f"/products?limit=3{cursor}")
        seen.append([each["sku"] for each in page["items"]])
        if page["next"] is None:
            break
        assert page["next"].replace("-", "").replace("_", "").isalnum()
        cursor = f"&cursor={page['next']}"
    assert seen == [["p0", "p1", "p2"], ["p3", "p4", "p5"], ["p6"]]
    assert [each["sku"] for each in api.get("/products?on_sale=false")["items"]] == ["p3"]


def test_promised_stock_cannot_be_taken_away(api: Api, shop: Shop) -> None:
    sku = shop.product(stock=150)
    campaign = shop.campaign(items=[{"sku": sku, "stock": 100}])
    path = f"/products/{sku}"
    found = api.get(path)
    assert (found["stock"], found["reserved"], found["free"]) == (150, 100, 50)
    assert api.patch(path, {"stock": 99}, 409)["lowest"] == 100
    assert api.patch(path, {"stock": 100})["free"] == 0
    assert api.delete(path, 409)["type"].endswith(":product_in_use")
    assert api.get(f"/campaigns/{campaign.code}")["state"] == "running"


def test_a_product_with_a_live_order_stays(api: Api, shop: Shop) -> None:
    sku = shop.product()
    campaign = shop.later(items=[{"sku": sku, "stock": 1}])
    order = shop.order(campaign.items[0].offer)
    api.post(f"/campaigns/{campaign.code}/terminate")
    api.delete(f"/products/{sku}", 409)
    assert api.get(f"/orders/{order}")["sku"] == sku


@pytest.mark.parametrize("image", ["https://shop.example/a.jpg?b=c#d", "/img/a.jpg", "a.jpg", "../b.webp"])
def test_images_are_web_addresses(shop: Shop, image: str) -> None:
    body = {"sku": "kettle", "name": "Kettle", "price": 1, "image": image}
    assert catalog.create(shop.resources, body, actor=ACTOR).image == image


def skus(api: Api, query: str) -> list[str]:
    return [each["sku"] for each in api.get(f"/products?{query}")["items"]]


def test_a_list_shows_what_is_asked_for(api: Api) -> None:
    for name, parent in (("home", None), ("rooms", "home"), ("kitchen", "rooms")):
        api.post("/categories", {"id": name, "name": name, "parent": parent}, 201)
    for sku, about in {
        "kettle": {"name": "銅壺 Kettle", "category": "kitchen", "tags": ["new", "it's"]},
        "lamp": {"name": "Lamp 100%", "category": "home", "tags": ["newer"]},
        "mug": {"name": "Mug", "category": "elsewhere", "gift_only": True},
        "pot_1": {"name": "Pot", "on_sale": False},
    }.items():
        api.post("/products", {"sku": sku, "price": 1, **about}, 201)
    # A category has what its descendants have; one that is not in the tree stands alone.
    assert skus(api, "category=home") == ["kettle", "lamp"]
    assert skus(api, "category=kitchen") == ["kettle"]
    assert skus(api, "category=elsewhere") == ["mug"]
    assert skus(api, "category=none") == []
    # A tag is a whole tag.
    assert skus(api, "tag=new") == ["kettle"]
    assert skus(api, "tag=it's") == ["kettle"]
    assert skus(api, "gift_only=true") == ["mug"]
    assert skus(api, "sku=mug,kettle,none") == ["kettle", "mug"]
    api.get("/products?sku=not%20one", 422)
    # A part of name or SKU, in any case; nothing in it is a wildcard.
    assert skus(api, "q=KETT") == ["kettle"]
    assert skus(api, "q=銅") == ["kettle"]
    assert skus(api, "q=%25") == ["lamp"]
    assert skus(api, "q=_") == ["pot_1"]
    assert skus(api, "q=t&on_sale=true&gift_only=false") == ["kettle"]


def numbers(shop: Shop, sku: str) -> tuple[int, int]:
    """The product's number, and the shop's newest."""
    with reading(shop.resources.engine) as connection:
        product = connection.execute(select(products.c.changed).where(products.c.sku == sku)).scalar_one()
        return product, changes.newest_number(connection)


def test_a_change_of_anything_but_stock_is_numbered(shop: Shop) -> None:
    sku = shop.product()
    made = numbers(shop, sku)
    assert made[0] == made[1] > 0
    catalog.change(shop.resources, sku, {"stock": 7}, actor=ACTOR)
    assert numbers(shop, sku) == made
    catalog.change(shop.resources, sku, {"stock": 8, "name": "Pot"}, actor=ACTOR)
    changed = numbers(shop, sku)
    assert changed[0] == changed[1] > made[1]
    catalog.remove(shop.resources, sku, actor=ACTOR)
    with reading(shop.resources.engine) as connection:
        noted = changes.since(connection, changed[1])
    assert [(each.kind, each.subject, each.body) for each in noted] == [("product", sku, None)]


def test_a_live_campaign_holds_its_products(api: Api, shop: Shop) -> None:
    """Listed, or named by the rule as a gift; a draft holds nothing, nor does a campaign that is over."""
    main, gift = shop.product(), shop.product(gift_only=True)
    body = shop.body(
        type="item_gift",
        items=[{"sku": main}],
        rule={"gifts": [{"sku": gift, "quantity": 1}], "per": 1},
        draft=True,
    )
    code = api.post("/campaigns", body, 201)["code"]
    with reading(shop.resources.engine) as connection:
        now = now_ms(connection)
        assert campaign_with_product(connection, main, now) is None
        assert campaign_with_product(connection, gift, now) is None
    api.post(f"/campaigns/{code}/publish")
    for sku in (main, gift):
        assert api.delete(f"/products/{sku}", 409)["campaign"] == code
    api.post(f"/campaigns/{code}/terminate")
    for sku in (main, gift):
        api.delete(f"/products/{sku}")

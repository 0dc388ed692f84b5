"""Given operators who look for something, lists of campaigns, orders and refunds find it and can be taken along."""

from __future__ import annotations

import csv
import io

from buying import an_order, bring
from paid_carts import Stall
from sidecar import Api, Shop


def sheet(api: Api, path: str) -> list[dict[str, str]]:
    reply = api.send("GET", path)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(reply.text)))


def test_campaigns_are_sorted_by_start_page_by_page_and_exported(api: Api, shop: Shop) -> None:
    now, word = shop.now_ms(), shop.unique("word")
    starts = {"b": 300_000, "a": 100_000, "c": 200_000}
    for name, after in starts.items():
        shop.campaign(code=f"{word}-{name}", starts_at=now + after, ends_at=now + 400_000, name="=1+1")
    draft = api.post("/campaigns", {"type": "bundle", "code": f"{word}-d", "draft": True}, 201)["code"]
    found, path = [], f"/campaigns?q={word}&sort=start&limit=2"
    while path:
        page = api.get(path)
        found += [each["code"] for each in page["items"]]
        path = page["next"] and f"/campaigns?q={word}&sort=start&limit=2&cursor={page['next']}"
    assert found == [draft, f"{word}-b", f"{word}-c", f"{word}-a"]
    rows = sheet(api, f"/campaigns.csv?q={word}&state=not_started&sort=start")
    assert [(each["code"], each["name"], each["type"]) for each in rows] == [
        (code, "'=1+1", "seckill") for code in found[1:]
    ]
    two = sheet(api, f"/campaigns.csv?codes={word}-a,{draft}")
    assert {each["code"] for each in two} == {f"{word}-a", draft}


def test_orders_are_found_by_one_word_and_by_day(api: Api, shop: Shop) -> None:
    number = an_order(shop)
    order = api.get(f"/orders/{number}")
    for word in (number, order["shopper"], order["offer"], order["campaign"], order["sku"]):
        found = api.send("GET", "/orders", params={"q": word}).json()["items"]
        assert number in [each["order_no"] for each in found]
    assert api.get("/orders?q=nothing-of-this-name")["items"] == []
    at = order["created_at"]
    about = {"q": number, "since": at, "until": at}
    assert api.send("GET", "/orders", params=about).json()["items"] == []
    assert api.send("GET", "/orders", params={"q": number, "since": at}).json()["items"] != []


def test_orders_of_carts_are_found_by_any_line_and_exported(api: Api, shop: Shop) -> None:
    stall = Stall(shop, api)
    order = stall.paid((stall.kettle, 2), (stall.lamp, 1))
    for word in (stall.mug, stall.sale, stall.lamp):
        assert [each["order_no"] for each in api.get(f"/orders?q={word}")["items"]] == [order["order_no"]]
    (row,) = sheet(api, f"/orders.csv?q={stall.lamp}&status=paid")
    assert (row["order_no"], row["total"], row["status"]) == (order["order_no"], str(order["total"]), "paid")
    assert row["products"] == f"{stall.kettle} x 2|{stall.lamp} x 1|{stall.mug} x 1"


def test_refunds_of_all_orders_wait_in_one_list(api: Api, shop: Shop) -> None:
    waiting, settled = an_order(shop), an_order(shop)
    bring(shop, api, waiting, "refunding")
    bring(shop, api, settled, "refunded")
    listed = api.get("/refunds")["items"]
    assert [(each["order_no"], each["state"]) for each in listed] == [
        (settled, "settled"),
        (waiting, "requested"),
    ]
    assert (listed[1]["status"], listed[1]["requested_by"], listed[1]["decided_by"]) == (
        "refunding",
        "shopper",
        None,
    )
    (asked,) = api.get("/refunds?state=requested")["items"]
    first = api.get("/refunds?limit=1")
    assert api.get(f"/refunds?limit=1&cursor={first['next']}")["items"] == [asked]
    api.post(f"/orders/{waiting}/refund", {"restock": True, "note": "arrived broken"})
    (told,) = api.get(f"/audit?kind=order&subject={waiting}&action=refund")["items"]
    assert told["after"]["note"] == "arrived broken"
    assert api.get("/refunds?state=requested")["items"] == []


def test_a_campaign_stands_beside_its_rivals_with_its_rule_in_words(api: Api, shop: Shop) -> None:
    sku, other = shop.product(name="Copper kettle"), shop.product()
    items = [{"sku": sku}]
    mine = shop.campaign(type="item_discount", rule={"percent_off": 10}, items=items, priority=1).code
    rival = shop.campaign(
        type="threshold_discount",
        items=[*items, {"sku": other}],
        priority=2,
        rule={"by": "count", "tiers": [{"at": 2, "percent_off": 20}]},
    ).code
    standing = api.get(f"/campaigns/{mine}/standing")
    assert standing["rule"] == ["Percent off: 10 %"]
    assert standing["goods"] == [{"sku": sku, "name": "Copper kettle", "price": 12900}]
    assert [(each["code"], each["winner"], each["why"], each["goods"]) for each in standing["overlaps"]] == [
        (rival, rival, "priority", 1)
    ]
    chinese = api.get(f"/campaigns/{mine}/standing", headers={"Accept-Language": "zh-TW"})
    assert chinese["rule"] != standing["rule"]
    draft = api.post("/campaigns", {"type": "bundle", "code": shop.unique("draft"), "draft": True}, 201)["code"]
    assert (api.get(f"/campaigns/{draft}/standing")["rule"], api.get(f"/campaigns/{draft}/standing")["goods"]) == (
        [],
        [],
    )
    api.get("/campaigns/nothing/standing", 404)


def test_a_day_says_what_became_of_its_orders(api: Api, shop: Shop) -> None:
    bring(shop, api, an_order(shop), "shipped")
    an_order(shop)
    today = api.get("/orders?limit=1")["items"][0]["created_at"][:10]
    days = api.get(f"/report?from={today}&to={today}")["days"]
    assert days[0]["states"] == {"pending": 1, "shipped": 1}

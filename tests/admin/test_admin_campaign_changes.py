"""Given a campaign in some state, each change is allowed or refused by it, and Redis follows at once."""

from __future__ import annotations

from typing import Any

import pytest
from sidecar import Api, Shop, click, fields_of
from sqlalchemy import update

from admin.campaigns.tables import campaigns
from gateway import offers as published
from gateway.orders.database import writing

# States.


def test_pause_resume_and_terminate_reach_redis(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    path, offer = f"/campaigns/{campaign.code}", campaign.items[0].offer
    assert api.post(f"{path}/pause")["state"] == "paused"
    assert click(shop.resources.redis, offer, ["ann"]) == ["P"]
    assert api.post(f"{path}/pause")["revision"] == 2
    assert api.post(f"{path}/resume")["state"] == "running"
    assert click(shop.resources.redis, offer, ["ann"]) == ["W"]
    assert fields_of(api.post(f"{path}/terminate", {"refund_all": 1}, 422)) == {"refund_all": "not_a_boolean"}
    ended = api.post(f"{path}/terminate")
    assert (ended["state"], ended["items"][0]["offer_state"]) == ("ended", "terminated")
    assert click(shop.resources.redis, offer, ["bob", "ann"]) == ["E", "A"]
    for action in ("terminate", "pause", "resume"):
        assert api.post(f"{path}/{action}", status=409)["state"] == "ended"
    assert api.patch(path, {"name": "Other"}, 409)["field"] == "name"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starts_at": 1_000_000}, "starts_at"),
        ({"ends_at": 1_000_000_000}, "ends_at"),
        ({"priority": 5}, "priority"),
        ({"audience": {"kind": "members"}}, "audience"),
        ({"rule": {"price": 100}}, "rule.price"),
        ({"rule": {"pay_within_s": 1}}, "rule.pay_within_s"),
        ({"coupons_allowed": True}, "coupons_allowed"),
    ],
)
def test_a_running_campaign_keeps_its_terms(api: Api, shop: Shop, change: dict[str, Any], field: str) -> None:
    campaign = shop.campaign()
    problem = api.patch(f"/campaigns/{campaign.code}", change, 409)
    assert (problem["state"], problem["field"]) == ("running", field)
    assert shop.offer(campaign.items[0].offer).version == shop.row(campaign.items[0].offer).version


def test_a_running_campaign_may_grow(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    path, offer = f"/campaigns/{campaign.code}", campaign.items[0].offer
    later = shop.now_ms() + 9_000_000
    changed = api.patch(path, {"name": "Now", "slogan": "Go", "ends_at": later, "rule": {"limit_per_shopper": 3}})
    assert (changed["name"], changed["rule"]["limit_per_shopper"], changed["revision"]) == ("Now", 3, 2)
    found = shop.offer(offer)
    assert (found.ends_at_ms, found.limit, found.card["slogan"], found.price) == (later, 3, "Go", 9900)
    problem = api.patch(path, {"rule": {"limit_per_shopper": 2}}, 409)
    assert problem["field"] == "rule.limit_per_shopper"
    assert api.patch(path, {"name": "Now"})["revision"] == 2


def test_before_the_start_everything_may_change(api: Api, shop: Shop) -> None:
    keep, leave, come = shop.product(), shop.product(), shop.product()
    campaign = shop.later(items=[{"sku": keep, "stock": 100}, {"sku": leave, "stock": 30}])
    path = f"/campaigns/{campaign.code}"
    changed = api.patch(
        path,
        {
            "rule": {"price": 5000, "pay_within_s": 60},
            "audience": {"kind": "members"},
            "items": [{"sku": come, "stock": 5, "price": 700}, {"sku": keep, "stock": 80}],
        },
    )
    assert [(each["sku"], each["stock"]) for each in changed["items"]] == [(come, 5), (keep, 80)]
    offer = shop.offer(f"{campaign.code}-{keep}")
    assert (offer.price, offer.pay_within_ms, offer.stock, offer.left) == (5000, 60_000, 80, 80)
    assert shop.offer(f"{campaign.code}-{come}").price == 700
    assert published.read(shop.resources.redis, f"{campaign.code}-{leave}") is None
    assert [shop.free(sku) for sku in (keep, leave, come)] == [420, 500, 495]
    api.patch(path, {"items": [{"sku": keep, "stock": 90}, {"sku": leave, "stock": 1}]})
    assert shop.offer(f"{campaign.code}-{keep}").stock == 90
    assert shop.offer(f"{campaign.code}-{leave}").left == 1
    assert fields_of(api.patch(path, {"items": [{"sku": keep, "stock": 501}]}, 422)) == {
        "items.0.stock": "not_enough_stock"
    }


def test_what_is_settled_never_changes(api: Api, shop: Shop) -> None:
    campaign = shop.later()
    path = f"/campaigns/{campaign.code}"
    assert api.patch(path, {"code": campaign.code, "type": "seckill", "draft": False})["revision"] == 1
    wrong = {"code": "other", "type": "bundle", "draft": True, "colour": 1}
    refused = api.patch(path, wrong, 422)
    assert fields_of(refused) == {
        "code": "fixed",
        "type": "fixed",
        "draft": "fixed",
        "colour": "unknown_field",
    }
    instead = {each["field"]: each["message"] for each in refused["errors"]}
    assert "a copy" in instead["code"]
    assert "a new campaign" in instead["type"]
    assert "POST …/copy" in instead["draft"]


def test_a_stale_revision_is_refused(api: Api, shop: Shop) -> None:
    campaign = shop.later()
    path, stale = f"/campaigns/{campaign.code}", {"If-Match": '"1"'}
    api.patch(path, {"name": "New"}, headers=stale)
    api.patch(path, {"name": "Newer"}, 412, headers=stale)
    api.post(f"{path}/pause", {}, 412, headers=stale)
    api.delete(path, 412, headers=stale)
    assert api.get(path)["name"] == "New"


# Items while running.


def test_items_come_and_go_while_running(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    path, item = f"/campaigns/{campaign.code}", campaign.items[0]
    sku = shop.product()
    added = api.post(f"{path}/items", {"sku": sku, "stock": 10, "price": 500}, 201)
    assert [each["sku"] for each in added["items"]] == [item.sku, sku]
    assert click(shop.resources.redis, f"{campaign.code}-{sku}", ["ann"]) == ["W"]
    removed = api.delete(f"{path}/items/{sku}")
    assert [(each["sku"], each["removed"]) for each in removed["items"]] == [(item.sku, False), (sku, True)]
    assert click(shop.resources.redis, f"{campaign.code}-{sku}", ["bob", "ann"]) == ["E", "A"]
    api.post(f"{path}/items/{sku}/stock", {"delta": 1, "operation_id": "x"}, 409)
    for other in ({"stock": 11, "price": 500}, {"stock": 10, "price": 501}, {"stock": 10}):
        problem = api.post(f"{path}/items", {"sku": sku, **other}, 409)
        assert (problem["price"], problem["stock"]) == (500, 10)
    api.post(f"{path}/items", {"sku": sku, "stock": 10, "price": 500}, 201)
    assert click(shop.resources.redis, f"{campaign.code}-{sku}", ["bob"]) == ["W"]
    assert api.post(f"{path}/items", {"sku": sku, "stock": 10}, 409)["field"] == "sku"
    assert fields_of(api.post(f"{path}/items", {"sku": "none", "stock": 1, "x": 1}, 422)) == {
        "sku": "unknown_sku",
        "x": "unknown_field",
    }
    api.delete(f"{path}/items/none", 404)
    api.delete(f"{path}/items/{sku}")
    assert api.delete(f"{path}/items/{item.sku}", 409)["type"].endswith(":last_item")


def test_stock_may_change_by_patch_while_running(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    path, item = f"/campaigns/{campaign.code}", campaign.items[0]
    shop.sell(item.offer, 30)
    api.patch(path, {"items": [{"sku": item.sku, "stock": 130}]})
    assert (shop.offer(item.offer).stock, shop.offer(item.offer).left) == (130, 100)
    too_low = {"slogan": "Nearly gone", "items": [{"sku": item.sku, "stock": 29}]}
    assert api.patch(path, too_low, 409)["lowest"] == 30
    assert api.get(path)["slogan"] is None
    api.patch(path, {"items": [{"sku": item.sku, "stock": 30}]})
    assert shop.row(item.offer).stock == shop.offer(item.offer).stock == 30
    price = {"items": [{"sku": item.sku, "stock": 30, "price": 1}]}
    assert api.patch(path, price, 409)["field"] == "items.0.price"


def test_a_fallen_base_price_does_not_block_other_changes(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    api.patch(f"/products/{campaign.items[0].sku}", {"price": 100})
    assert api.patch(f"/campaigns/{campaign.code}", {"slogan": "Still on"})["slogan"] == "Still on"


# The end.


def test_what_has_not_begun_can_be_deleted(api: Api, shop: Shop) -> None:
    campaign = shop.later()
    item = campaign.items[0]
    assert api.delete(f"/campaigns/{campaign.code}") == {"deleted": campaign.code, "archived": None}
    api.get(f"/campaigns/{campaign.code}", 404)
    assert published.read(shop.resources.redis, item.offer) is None
    assert shop.free(item.sku) == 500
    api.delete(f"/products/{item.sku}")


def test_what_runs_cannot_be_deleted_and_what_has_sold_is_archived(api: Api, shop: Shop) -> None:
    campaign = shop.campaign()
    path = f"/campaigns/{campaign.code}"
    assert api.delete(path, 409)["state"] == "running"
    shop.sell(campaign.items[0].offer, 1)
    api.post(f"{path}/terminate")
    # The winner is not in the ledger yet; Redis knows better.
    assert api.delete(path) == {"deleted": None, "archived": campaign.code}
    assert api.get(path)["archived"] is True
    assert campaign.code not in [each["code"] for each in api.get("/campaigns")["items"]]
    assert campaign.code in [each["code"] for each in api.get("/campaigns?archived=true")["items"]]
    assert shop.offer(campaign.items[0].offer).state == "terminated"


def test_a_copy_is_a_draft_without_a_window(api: Api, shop: Shop) -> None:
    campaign = shop.campaign(slogan="Once")
    made = api.post(f"/campaigns/{campaign.code}/copy", {"code": shop.unique("copy")}, 201)
    assert (made["state"], made["starts_at"], made["slogan"], made["rule"]["price"]) == (
        "draft",
        None,
        "Once",
        9900,
    )
    assert [(each["sku"], each["stock"]) for each in made["items"]] == [(campaign.items[0].sku, 100)]
    api.post(f"/campaigns/{campaign.code}/copy", {"code": made["code"]}, 409)


def test_lists_filter_by_the_state_that_is_shown(api: Api, shop: Shop) -> None:
    codes = {
        "running": shop.campaign().code,
        "not_started": shop.later().code,
        "paused": shop.campaign().code,
        "ended": shop.campaign().code,
        "draft": api.post("/campaigns", {"type": "seckill", "draft": True}, 201)["code"],
    }
    over = shop.campaign().code
    api.post(f"/campaigns/{codes['paused']}/pause")
    api.post(f"/campaigns/{codes['ended']}/terminate")
    with writing(shop.resources.engine) as connection:
        statement = update(campaigns).where(campaigns.c.code == over)
        connection.execute(statement.values(starts_at_ms=1, ends_at_ms=2))
    for state, code in codes.items():
        items = api.get(f"/campaigns?state={state}&type=seckill")["items"]
        assert {each["state"] for each in items} == {state}
        assert {each["code"] for each in items} == ({code, over} if state == "ended" else {code})
    seen, cursor = [], ""
    while True:
        page = api.get(f"/campaigns?limit=2{cursor}")
        seen += [each["code"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == sorted([*codes.values(), over])
    assert fields_of(api.get("/campaigns?state=sleeping", 422)) == {"state": "not_one_of"}


def test_every_change_is_in_the_audit_log(api: Api, shop: Shop) -> None:
    body = shop.body()
    api.post("/campaigns", body, 201)
    path, sku = f"/campaigns/{body['code']}", body["items"][0]["sku"]
    api.patch(path, {"slogan": "Go"})
    api.post(f"{path}/items/{sku}/stock", {"delta": 5, "operation_id": shop.unique("op")})
    api.post(f"{path}/pause")
    items = api.get(f"/audit?kind=campaign&subject={body['code']}&limit=3")
    more = api.get(f"/audit?kind=campaign&subject={body['code']}&limit=3&cursor={items['next']}")["items"]
    log = [*items["items"], *more]
    assert [each["action"] for each in log] == ["pause", "stock", "change", "create"]
    change = log[2]
    assert (change["before"]["slogan"], change["after"]["slogan"]) == (None, "Go")
    assert change["actor"].startswith("key-")
    assert log[3]["before"] is None
    assert api.get(f"/audit?since={shop.now_ms() + 60_000}")["items"] == []

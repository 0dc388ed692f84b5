"""Given groups over HTTP: who may do what, what is shown of a group, and streams of how it fills."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grouping
import orjson
import pytest
from anyio.from_thread import BlockingPortal
from buying import money
from grouping import BASE, PRICE, Guest, group_buy, run_down, statuses
from listening import Listener
from sidecar import Api, Shop

from admin import streaming
from admin.groups.progress import Watching
from admin.resources import Resources
from tests.conftest import wait_until

ADDRESS = {"name": "Ann", "phone": "+886 2 1", "line1": "1 Long Street", "city": "Taipei", "country": "TW"}


@pytest.fixture(scope="module")
def one_api(shared_resources: Resources, portal: BlockingPortal) -> Iterator[Api]:
    """The application on SQLite that this module shares, for what does not differ between databases."""
    with Api(shared_resources.settings, portal) as opened:
        yield opened


def listen(api: Api, portal: BlockingPortal, group: str) -> Listener:
    return Listener(api, portal, f"/api/groups/{group}/events")


def code(problem: Any) -> str:
    return str(problem["type"]).rpartition(":")[2]


def test_a_group_is_opened_shared_joined_left_and_filled(api: Api, shop: Shop) -> None:
    campaign = group_buy(shop, rule={"size": 2})
    ann, bob, cid = (Guest(api, shop.unique(name)) for name in ("ann", "bob", "cid"))
    opened = ann.open(campaign, address=ADDRESS, note="blue")
    group, first = opened["id"], opened["order_no"]
    assert opened["order"]["order_no"] == first
    assert (opened["order"]["total"], opened["order"]["flow"], opened["order"]["group_id"]) == (
        PRICE,
        "group_buy",
        group,
    )
    assert (opened["order"]["address"], opened["order"]["note"]) == (ADDRESS, "blue")
    assert (opened["price"], opened["base_price"], opened["currency"]) == (PRICE, BASE, "CNY")
    assert opened["url"] == f"/g/{group}"
    assert opened["order"]["expire_at"] < opened["deadline"]
    seen = Guest(api).get(f"/api/groups/{group}")
    assert seen["members"] == [{"leader": True, "paid": False, "virtual": False, "me": False}]
    assert (seen["seats_held"], seen["seats_paid"], seen["seats_left"], seen["my_order_no"]) == (1, 0, 1, None)
    assert ann.name not in orjson.dumps(seen).decode()
    assert Guest(api).get(f"/api/groups?campaign={campaign.code}")["items"][0]["id"] == group
    assert ann.pay(first)["status"] == "awaiting_group"
    assert ann.pay(first)["status"] == "awaiting_group", "paying once more changes nothing"
    second = bob.join(group, quantity=1)["order_no"]
    assert code(cid.join(group, 409)) == "no_seat_left"
    assert bob.leave(group)["order"]["status"] == "cancelled"
    assert code(bob.leave(group, 409)) == "not_in_group"
    assert code(bob.pay(second, 409)) == "wrong_state"
    third = cid.sit(group)
    seen = cid.get(f"/api/groups/{group}")
    assert (seen["state"], seen["my_order_no"]) == ("full", third)
    assert [(each["leader"], each["me"]) for each in seen["members"]] == [(True, False), (False, True)]
    assert statuses(shop, group) == ["cancelled", "paid", "paid"]
    assert code(cid.leave(group, 409)) == "group_over"
    refunded = cid.post(f"/api/orders/{third}/refund")
    assert (refunded["status"], money(shop, third)) == ("refunded", (PRICE, PRICE))
    assert ann.get(f"/api/groups/{group}")["state"] == "full", "it was, whoever is paid back later"


def test_a_refund_of_an_order_that_waits_for_its_group_is_leaving_it(one_api: Api, shared_shop: Shop) -> None:
    ann, bob = (Guest(one_api, shared_shop.unique(name)) for name in ("ann", "bob"))
    group = ann.open(group_buy(shared_shop, stock=10))["id"]
    order_no = bob.sit(group)
    assert bob.post(f"/api/orders/{order_no}/refund")["status"] == "refunded"
    assert money(shared_shop, order_no) == (PRICE, PRICE)
    seen = bob.get(f"/api/groups/{group}")
    assert (seen["seats_held"], seen["my_order_no"]) == (1, None)


def test_the_deadline_comes_by_itself(one_api: Api, shared_shop: Shop) -> None:
    ann, bob = (Guest(one_api, shared_shop.unique(name)) for name in ("ann", "bob"))
    group = ann.open(group_buy(shared_shop))["id"]
    paid = bob.sit(group)
    run_down(shared_shop, group)
    wait_until(lambda: grouping.row(shared_shop, group).settled)
    assert statuses(shared_shop, group) == ["cancelled", "refunded"]
    assert money(shared_shop, paid) == (PRICE, PRICE)
    told = bob.get("/api/notices")["items"]
    assert [(each["kind"], each["data"]["group"]) for each in told if each["kind"] == "group_failed"] == [
        ("group_failed", group)
    ]


def test_a_group_buy_is_for_its_audience_and_channel_whoever_joins(one_api: Api, shared_shop: Shop) -> None:
    campaign = group_buy(shared_shop, audience={"kind": "members", "levels": [2]}, channels=["app"])
    gold, tin = Guest(one_api, shared_shop.unique("gold"), level=2), Guest(one_api, shared_shop.unique("tin"))
    assert gold.open(campaign, 409)["reason"].startswith("channel: ")
    assert tin.open(campaign, 409, channel="app")["reason"].startswith("level: ")
    group = gold.open(campaign, channel="app")["id"]
    assert tin.join(group, 409, channel="app")["reason"].startswith("level: ")
    assert Guest(one_api, shared_shop.unique("gold"), level=2).join(group, 409)["reason"].startswith("channel: ")
    assert Guest(one_api, shared_shop.unique("gold"), level=2).join(group, channel="app")["order_no"]


def test_what_is_sent_again_under_its_key_is_done_once(one_api: Api, shared_shop: Shop) -> None:
    campaign = group_buy(shared_shop, rule={"limit_per_shopper": 9})
    ann, bob = (Guest(one_api, shared_shop.unique(name)) for name in ("ann", "bob"))
    body = {"campaign": campaign.code, "sku": campaign.items[0].sku}
    once = {"headers": {"Idempotency-Key": "once"}}
    opened = ann.post("/api/groups", body, 201, **once)
    assert ann.post("/api/groups", body, 200, **once)["order_no"] == opened["order_no"]
    assert code(ann.post("/api/groups", {**body, "quantity": 2}, 400, **once)) == "key_reused"
    join = f"/api/groups/{opened['id']}/join"
    joined = bob.post(join, {}, 201, **once)
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda _: bob.post(join, {}, 200, **once)["order_no"], range(4)))
    assert again == [joined["order_no"]] * 4
    assert code(bob.post(join, {}, 409)) == "already_in_group"
    cid, twice = Guest(one_api, shared_shop.unique("cid")), {"headers": {"Idempotency-Key": "both"}}
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: cid.send(join, {}, **twice), range(2)))
    assert sorted(each.status_code for each in replies) == [200, 201]
    assert len({each.json()["order_no"] for each in replies}) == 1


def test_what_is_malformed_is_refused(one_api: Api, shared_shop: Shop) -> None:
    ann = Guest(one_api, shared_shop.unique("ann"))
    for body in ({"quantity": 0}, {"quantity": "1"}, {"seat": 1}, {"channel": "moon"}):
        ann.post("/api/groups/nowhere/join", body, 422)
        ann.post("/api/groups", {"campaign": "c", "sku": "s", **body}, 422)


def test_what_is_not_there_is_not_found(one_api: Api, shared_shop: Shop) -> None:
    ann = Guest(one_api, shared_shop.unique("ann"))
    for guest in (ann, Guest(one_api)):
        guest.get("/api/groups/nowhere", 404)
        guest.get("/api/groups/nowhere/events", 404)
    ann.post("/api/groups/nowhere/join", None, 404)
    ann.post("/api/groups/nowhere/leave", None, 404)
    sku = shared_shop.product()
    ann.post("/api/groups", {"campaign": "nothing", "sku": sku}, 404)
    off = shared_shop.campaign(type="item_discount", rule={"percent_off": 10}, items=[{"sku": sku}])
    ann.post("/api/groups", {"campaign": off.code, "sku": sku}, 404)
    campaign = group_buy(shared_shop)
    assert ann.post("/api/groups", {"campaign": campaign.code, "sku": sku}, 409)["reason"]
    Guest(one_api).post("/api/groups", {"campaign": campaign.code, "sku": sku}, 401)


def watching_of(api: Api) -> Watching:
    (found,) = (each for each in api._state["rounds"] if isinstance(each, Watching))
    return found


def test_a_stream_tells_how_a_group_fills_and_ends_with_it(
    one_api: Api, shared_shop: Shop, portal: BlockingPortal
) -> None:
    ann, bob = (Guest(one_api, shared_shop.unique(name)) for name in ("ann", "bob"))
    opened = ann.open(group_buy(shared_shop, rule={"size": 2}))
    group = opened["id"]
    watching = watching_of(one_api)
    with (
        listen(one_api, portal, group) as one,
        listen(one_api, portal, group) as other,
    ):
        wait_until(lambda: one.events and other.events)
        assert watching.streams == 2
        headers = {name.decode(): value.decode() for name, value in one.started["headers"]}
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        other.leave()
        assert watching.streams == 1
        ann.pay(opened["order_no"])
        wait_until(lambda: len(one.events) == 2)
        bob.sit(group)
        one.ended.result(timeout=10)
    assert watching.streams == 0
    assert one.events[:2] == [
        {"seats_held": 1, "seats_paid": 0, "seats_left": 1, "state": "open"},
        {"seats_held": 1, "seats_paid": 1, "seats_left": 1, "state": "open"},
    ]
    assert one.events[-1] == {"seats_held": 2, "seats_paid": 2, "seats_left": 0, "state": "full"}


def test_streams_are_few_keep_saying_something_and_end_with_the_process(
    one_api: Api, shared_shop: Shop, portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_of(one_api), "closing", False)
    monkeypatch.setattr(Watching, "streams_max", 1)
    monkeypatch.setattr(streaming, "KEEP_ALIVE_S", 0.05)
    group = Guest(one_api, shared_shop.unique("ann")).open(group_buy(shared_shop))["id"]
    with listen(one_api, portal, group) as stream:
        wait_until(lambda: b": still here\n\n" in stream.body)
        assert code(Guest(one_api).get(f"/api/groups/{group}/events", 503)) == "too_many_streams"
        portal.call(watching_of(one_api).close_streams)
        stream.ended.result(timeout=10)
    assert code(Guest(one_api).get(f"/api/groups/{group}/events", 503)) == "too_many_streams"

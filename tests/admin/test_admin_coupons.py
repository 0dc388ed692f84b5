"""Given operators at coupons: what they may say of one, what may change when, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sidecar import ACTOR, Api, Shop, fields_of, settings_for

from admin import changes, migrations
from admin.catalog import service as catalog
from admin.catalog.models import ProductFilter
from admin.coupons import service
from admin.errors import Conflict, Invalid
from admin.promotions.coupon import read_coupon
from admin.resources import Resources
from gateway.orders.database import reading

HOUR_MS = 3_600_000


def body(shop: Shop, **about: Any) -> dict[str, Any]:
    """A coupon that runs now."""
    now = shop.now_ms()
    made = {
        "code": shop.unique("SAVE"),
        "name": "Five off",
        "kind": "amount",
        "amount_off": 500,
        "threshold": 5000,
        "starts_at": now - HOUR_MS,
        "ends_at": now + HOUR_MS,
        **about,
    }
    return {name: value for name, value in made.items() if value is not ...}


def recorded(shop: Shop, code: str) -> dict[str, Any] | None:
    """What the record of changes says of a coupon."""
    with reading(shop.resources.engine) as connection:
        rows = changes.as_of(connection, "coupon")
    return next((row.body for row in rows if row.subject == code), None)


def test_a_coupon_lives_and_dies(api: Api, shop: Shop) -> None:
    sku = shop.product()
    given = body(
        shop,
        kind="percent",
        amount_off=...,
        percent_off=12.5,
        cap=3000,
        scope="items",
        items=[sku],
        starts_at=shop.now_ms() + HOUR_MS,
        ends_at=shop.now_ms() + 2 * HOUR_MS,
        per_shopper=1,
        audience={"kind": "members", "levels": [1, 2]},
        claim_required=True,
    )
    made = api.post("/coupons", given, 201)
    same = set(given) - {"starts_at", "ends_at"}
    assert {name: made[name] for name in same} == {name: given[name] for name in same}
    assert (made["state"], made["revision"], made["total"], made["ended_at"]) == ("not_started", 1, None, None)
    path = f"/coupons/{made['code']}"
    assert api.get(path) == made
    assert api.send("GET", path).headers["etag"] == '"1"'
    coupon = read_coupon(made["code"], recorded(shop, made["code"]) or {})
    assert (coupon.revision, coupon.ended, coupon.fields.percent_off) == (1, False, 1250)
    assert coupon.fields.starts_at == given["starts_at"]

    api.patch(path, {"cap": 1}, 412, headers={"If-Match": "7"})
    changed = api.patch(path, {"cap": None, "scope": "all", "items": []}, headers={"If-Match": "1"})
    assert (changed["cap"], changed["scope"], changed["revision"]) == (None, "all", 2)
    assert (recorded(shop, made["code"]) or {})["scope"] == "all"
    api.delete(path, 412, headers={"If-Match": "1"})
    assert api.delete(path) == {"deleted": made["code"]}
    assert recorded(shop, made["code"]) is None
    api.get(path, 404)
    entries = api.get(f"/audit?kind=coupon&subject={made['code']}")["items"]
    assert [each["action"] for each in entries] == ["delete", "change", "create"]
    assert (entries[1]["before"], entries[1]["after"]) == (made, changed)


def test_a_running_coupon_is_ended_not_deleted(api: Api, shop: Shop) -> None:
    made = api.post("/coupons", body(shop), 201)
    path = f"/coupons/{made['code']}"
    assert made["state"] == "running"
    assert api.delete(path, 409)["state"] == "running"
    api.post(f"{path}/end", {}, 412, headers={"If-Match": "9"})
    ended = api.post(f"{path}/end")
    assert (ended["state"], ended["revision"], ended["ended_at"] is None) == ("ended", 2, False)
    assert read_coupon(made["code"], recorded(shop, made["code"]) or {}).ended
    assert api.post(f"{path}/end", status=409)["state"] == "ended"
    refused = api.patch(path, {"name": "Late"}, 409)
    assert (refused["state"], refused["field"]) == ("ended", "name")


def test_codes_are_case_sensitive(api: Api, shop: Shop) -> None:
    given = body(shop)
    upper = api.post("/coupons", given, 201)["code"]
    lower = api.post("/coupons", {**given, "code": upper.lower(), "amount_off": 1}, 201)["code"]
    assert api.post("/coupons", given, 409)["field"] == "code"
    assert [api.get(f"/coupons/{code}")["amount_off"] for code in (upper, lower)] == [500, 1]


def test_the_list_is_paged_and_filtered_by_state_and_text(api: Api, shop: Shop) -> None:
    now = shop.now_ms()
    running = api.post("/coupons", body(shop, name="100% of Summer"), 201)["code"]
    later = api.post("/coupons", body(shop, starts_at=now + HOUR_MS, ends_at=now + 2 * HOUR_MS), 201)["code"]
    ended = api.post("/coupons", body(shop), 201)["code"]
    api.post(f"/coupons/{ended}/end")
    for state, code in (("running", running), ("not_started", later), ("ended", ended)):
        assert [each["code"] for each in api.get(f"/coupons?state={state}")["items"]] == [code]
    assert [each["code"] for each in api.get("/coupons?q=0%25 OF s")["items"]] == [running]
    assert [each["code"] for each in api.get(f"/coupons?q={later.lower()}")["items"]] == [later]
    assert api.get("/coupons?q=_")["items"] == []
    first = api.get("/coupons?limit=2")
    rest = api.get(f"/coupons?limit=2&cursor={first['next']}")
    assert [each["code"] for each in first["items"] + rest["items"]] == [ended, later, running]
    assert rest["next"] is None


@pytest.fixture(scope="module")
def shared_resources(tmp_path_factory: pytest.TempPathFactory, redis_server: Any) -> Iterator[Resources]:
    url = f"sqlite:///{tmp_path_factory.mktemp('coupons') / 'ledger.db'}"
    migrations.upgrade(url)
    opened = Resources.open(settings_for(url, redis_server.url))
    yield opened
    opened.close()


@pytest.fixture
def counter(shared_resources: Resources, unique: Any) -> Shop:
    """A shop whose refusals change nothing, so that many tests share it."""
    return Shop(shared_resources, unique)


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"name": "Six off"}, True),
        ({"ends_at": 3 * HOUR_MS}, True),
        ({"ends_at": HOUR_MS // 2}, True),
        ({"ends_at": -1}, False),
        ({"starts_at": -5}, False),
        ({"per_shopper": 3}, True),
        ({"per_shopper": None}, True),
        ({"per_shopper": 1}, False),
        ({"total": 101}, True),
        ({"total": 99}, False),
        ({"amount_off": 501}, False),
        ({"threshold": 0}, False),
        ({"kind": "percent"}, False),
        ({"scope": "items"}, False),
        ({"audience": {"kind": "members"}}, False),
        ({"claim_required": True}, False),
        ({"amount_off": 500, "total": 100, "name": "Five off"}, True),
    ],
    ids=str,
)
def test_what_may_change_while_it_runs(counter: Shop, change: dict[str, Any], allowed: bool) -> None:
    given = body(counter, per_shopper=2, total=100)
    service.create(counter.resources, given, actor=ACTOR)
    sent = {
        name: counter.now_ms() + value if name in {"starts_at", "ends_at"} else value
        for name, value in change.items()
    }
    if allowed:
        after = service.change(counter.resources, given["code"], sent, actor=ACTOR)
        assert after.revision == (1 if "amount_off" in change else 2)
    else:
        with pytest.raises(Conflict) as refused:
            service.change(counter.resources, given["code"], sent, actor=ACTOR)
        assert refused.value.members == {"state": "running", "field": next(iter(change))}


def test_before_the_start_everything_may_change(counter: Shop) -> None:
    now = counter.now_ms()
    given = body(counter, starts_at=now + HOUR_MS, ends_at=now + 2 * HOUR_MS, per_shopper=2)
    service.create(counter.resources, given, actor=ACTOR)
    changed = {"kind": "percent", "amount_off": None, "percent_off": 10, "per_shopper": 1, "starts_at": now - 1}
    after = service.change(counter.resources, given["code"], changed, actor=ACTOR)
    assert (after.kind, after.percent_off, after.per_shopper, after.state) == ("percent", 10, 1, "running")


def test_what_a_coupon_named_before_may_be_gone(counter: Shop) -> None:
    now = counter.now_ms()
    sku = counter.product()
    given = body(counter, scope="items", items=[sku], starts_at=now + HOUR_MS, ends_at=now + 2 * HOUR_MS)
    service.create(counter.resources, given, actor=ACTOR)
    catalog.remove(counter.resources, sku, actor=ACTOR)
    after = service.change(counter.resources, given["code"], {"items": [sku], "name": "Still"}, actor=ACTOR)
    assert (after.items, after.name) == ([sku], "Still")
    with pytest.raises(Invalid):
        service.change(counter.resources, given["code"], {"items": [sku, "ghost"]}, actor=ACTOR)


MEMBERS_ONLY = {"audience.levels": "needs_members"}
PERCENT = {"kind": "percent", "amount_off": ...}

REFUSED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "code in chinese": ({"code": "折"}, {"code": "bad_form"}),
    "code with a space": ({"code": "A B"}, {"code": "bad_form"}),
    "empty code": ({"code": ""}, {"code": "too_short"}),
    "long code": ({"code": "a" * 41}, {"code": "too_long"}),
    "code of another kind": ({"code": 5}, {"code": "not_a_text"}),
    "no code": ({"code": ...}, {"code": "missing"}),
    "blank name": ({"name": " "}, {"name": "blank"}),
    "unknown field": ({"colour": "red"}, {"colour": "unknown_field"}),
    "unknown kind": ({"kind": "gift"}, {"kind": "not_one_of"}),
    "nothing off": ({"amount_off": ...}, {"amount_off": "missing"}),
    "zero off": ({"amount_off": 0}, {"amount_off": "too_small"}),
    "negative": ({"amount_off": -1}, {"amount_off": "too_small"}),
    "huge": ({"amount_off": 10**12 + 1}, {"amount_off": "too_large"}),
    "a float": ({"amount_off": 5.0}, {"amount_off": "not_an_integer"}),
    "a flag for a number": ({"amount_off": True}, {"amount_off": "not_an_integer"}),
    "both ways": ({"percent_off": 5}, {"percent_off": "not_for_kind"}),
    "cap of an amount": ({"cap": 5}, {"cap": "not_for_kind"}),
    "no percent": (PERCENT, {"percent_off": "missing"}),
    "zero percent": ({**PERCENT, "percent_off": 0}, {"percent_off": "not_a_percent"}),
    "whole percent": ({**PERCENT, "percent_off": 100}, {"percent_off": "not_a_percent"}),
    "three decimals": ({**PERCENT, "percent_off": 12.345}, {"percent_off": "too_many_decimals"}),
    "percent in words": ({**PERCENT, "percent_off": "5"}, {"percent_off": "not_a_number"}),
    "amount with percent": ({"kind": "percent", "percent_off": 5}, {"amount_off": "not_for_kind"}),
    "zero cap": ({**PERCENT, "percent_off": 5, "cap": 0}, {"cap": "too_small"}),
    "negative threshold": ({"threshold": -1}, {"threshold": "too_small"}),
    "no limit at all is null": ({"total": 0}, {"total": "too_small"}),
    "per shopper zero": ({"per_shopper": 0}, {"per_shopper": "too_small"}),
    "scope without items": ({"scope": "items"}, {"items": "missing"}),
    "unknown item": ({"scope": "items", "items": ["ghost"]}, {"items.0": "unknown_sku"}),
    "item twice": ({"scope": "items", "items": ["lamp", "lamp"]}, {"items.1": "repeated"}),
    "items without scope": ({"items": ["lamp"]}, {"items": "not_in_scope"}),
    "too many items": ({"scope": "items", "items": ["lamp"] * 10_000}, {"items": "too_many"}),
    "scope without categories": ({"scope": "category"}, {"categories": "missing"}),
    "unknown category": ({"scope": "category", "categories": ["x"]}, {"categories.0": "unknown_category"}),
    "categories without scope": ({"categories": ["x"]}, {"categories": "not_in_scope"}),
    "unknown scope": ({"scope": "shop"}, {"scope": "not_one_of"}),
    "ends before it starts": ({"ends_at": 1}, {"ends_at": "not_after_start"}),
    "over already": ({"starts_at": 1, "ends_at": 2}, {"ends_at": "in_the_past"}),
    "no window": ({"starts_at": ..., "ends_at": ...}, {"starts_at": "missing", "ends_at": "missing"}),
    "no offset": ({"starts_at": "2026-11-21T12:00:00"}, {"starts_at": "bad_instant"}),
    "levels of everyone": ({"audience": {"levels": [1]}}, MEMBERS_ONLY),
    "no level": ({"audience": {"kind": "members", "levels": []}}, {"audience.levels": "too_few"}),
    "several at once": (
        {"starts_at": "soon", "amount_off": 0, "cap": 1, "audience": {"levels": [1]}, "items": ["lamp"], "x": 1},
        {
            "starts_at": "bad_instant",
            "amount_off": "too_small",
            "cap": "not_for_kind",
            "items": "not_in_scope",
            "x": "unknown_field",
            **MEMBERS_ONLY,
        },
    ),
}


@pytest.mark.parametrize(("about", "expected"), REFUSED.values(), ids=list(REFUSED))
def test_bad_input_is_told_field_by_field(counter: Shop, about: dict[str, Any], expected: dict[str, str]) -> None:
    if not catalog.page(counter.resources, ProductFilter(q="lamp")).items:
        counter.product(sku="lamp")
    with pytest.raises(Invalid) as refused:
        service.create(counter.resources, body(counter, **about), actor=ACTOR)
    assert fields_of({"errors": [each.as_json() for each in refused.value.errors]}) == expected
    assert all(len(each.message) > 8 for each in refused.value.errors)


def test_a_change_is_judged_whole_with_all_problems(counter: Shop) -> None:
    now = counter.now_ms()
    given = body(counter, starts_at=now + HOUR_MS, ends_at=now + 2 * HOUR_MS)
    service.create(counter.resources, given, actor=ACTOR)
    with pytest.raises(Invalid) as refused:
        service.change(
            counter.resources, given["code"], {"ends_at": now, "cap": 5, "code": "X", "name": None}, actor=ACTOR
        )
    assert fields_of({"errors": [each.as_json() for each in refused.value.errors]}) == {
        "ends_at": "not_after_start",
        "cap": "not_for_kind",
        "code": "unknown_field",
        "name": "not_a_text",
    }

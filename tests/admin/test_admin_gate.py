"""Given a campaign that somebody thinks of publishing, the gate tells what that would mean, and changes nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from buying import Shopper
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import func, select

from admin.catalog import categories
from admin.gate import service
from admin.gate.warnings import of_terms
from admin.promotions.campaign import read_campaign
from gateway.orders.database import reading
from gateway.orders.tables import metadata

HOUR_MS = 3_600_000
NOW_MS = int(time.time() * 1000)
"""One for all windows, which must meet to the millisecond."""


@pytest.fixture
def api(shared_api: Api) -> Api:
    """Reports change nothing, and every test has goods of its own."""
    return shared_api


@pytest.fixture
def shop(shared_shop: Shop) -> Shop:
    return shared_shop


def draft(*skus: str, **about: Any) -> dict[str, Any]:
    """A campaign that would run soon, for two hours."""
    return {
        "type": "item_discount",
        "name": "Draft",
        "starts_at": NOW_MS + HOUR_MS,
        "ends_at": NOW_MS + 3 * HOUR_MS,
        "rule": {"percent_off": 20},
        **({"items": [{"sku": sku} for sku in skus]} if skus else {}),
        **about,
    }


def published(api: Api, shop: Shop, *skus: str, **about: Any) -> str:
    """The same, published."""
    return str(api.post("/campaigns", {**draft(*skus, **about), "code": shop.unique("c")}, 201)["code"])


def check(api: Api, body: dict[str, Any], query: str = "?orders=0") -> Any:
    return api.post(f"/campaigns/check{query}", body)


def warned(report: Any) -> dict[str, Any]:
    return {each["code"]: each for each in report["warnings"]}


def test_a_campaign_without_fault_is_priced(api: Api, shop: Shop) -> None:
    kettle, lamp = sorted((shop.product(price=10000, cost=7500), shop.product(price=5000)))
    published(api, shop, lamp, rule={"amount_off": 1500}, priority=9)
    report = check(api, draft(kettle, lamp))
    assert (report["errors"], report["warnings"], report["code"]) == ([], [], None)
    catalogue = report["priced"]["catalogue"]
    items = {each["sku"]: each for each in catalogue["items"]}
    assert [items[kettle][name] for name in ("base", "before", "after", "price")] == [10000, 10000, 8000, 8000]
    assert [items[lamp][name] for name in ("base", "before", "after", "price")] == [5000, 3500, 3500, 4000]
    assert (items[kettle]["margin"], items[lamp]["margin"], catalogue["worst_margin"]) == (500, None, 500)
    assert (catalogue["goods"], catalogue["priced"], catalogue["stopped"]) == (2, 2, False)
    changes = {name: catalogue[f"{name}_change"] for name in ("min", "max", "avg")}
    assert (catalogue["changed"], changes) == (1, {"min": -2000, "max": -2000, "avg": -2000})
    assert report["priced"]["shopper"]["guest"] is True


def test_errors_are_those_of_publishing(api: Api, shop: Shop) -> None:
    sku = shop.product(price=100)
    for body in (
        draft(sku, rule={"price": 100}),
        draft(sku, "ghost", name=None, priority=1.5, colour="red"),
        draft(sku, ends_at=1),
        draft(rule={}),
        {"type": "bundle"},
    ):
        refused = api.post("/campaigns", body, 422)
        assert fields_of(check(api, body)) == fields_of(refused)
    code = published(api, shop, sku)
    report = check(api, draft(sku, code=code))
    assert fields_of(report) == {"code": "code_taken"}
    assert report["priced"] is not None
    assert check(api, draft(sku, rule={"price": 100}))["priced"] is None


def test_a_body_that_names_no_type_or_draft_is_refused(api: Api, shop: Shop) -> None:
    assert fields_of(api.post("/campaigns/check", {"name": "x"}, 422)) == {"type": "missing"}
    assert fields_of(api.post("/campaigns/check", {"type": "lottery"}, 422)) == {"type": "unknown_type"}
    api.post("/campaigns/check", [], 422)
    api.post("/campaigns/check", {"code": "none"}, 404)
    running = published(api, shop, shop.product())
    assert api.post("/campaigns/check", {"code": running}, 409)["state"] == "not_started"
    api.post("/campaigns/check?orders=2001", {"code": running}, 422)


def test_a_stored_draft_is_checked_by_its_code(api: Api, shop: Shop) -> None:
    sku = shop.product(price=10000)
    code = shop.unique("c")
    api.post("/campaigns", {**draft(sku), "code": code, "draft": True}, 201)
    report = check(api, {"code": code})
    assert (report["code"], report["errors"], report["overlaps"]) == (code, [], [])
    assert report["priced"]["catalogue"]["items"][0]["after"] == 8000
    api.patch(f"/campaigns/{code}", {"ends_at": None})
    assert fields_of(check(api, {"code": code})) == {"ends_at": "missing"}


def test_warnings_of_terms(api: Api, shop: Shop) -> None:
    sku = shop.product()
    past = draft(sku, starts_at=NOW_MS - HOUR_MS)
    assert set(warned(check(api, past))) == {"starts_at_once"}
    levels = draft(sku, audience={"kind": "members", "levels": [7]})
    report = check(api, levels)
    assert set(warned(report)) == {"no_such_member"}
    assert (report["priced"]["shopper"]["level"], report["priced"]["shopper"]["guest"]) == (7, False)
    assert check(api, {**levels, "audience": {"kind": "members", "levels": [0, 7]}})["warnings"] == []
    api.post("/members", {"shopper": shop.unique("amy"), "level": 7}, 201)
    assert check(api, levels)["warnings"] == []


def test_warnings_of_goods_and_margins(api: Api, shop: Shop) -> None:
    category = shop.unique("kitchen")
    categories.create(shop.resources, {"id": category, "name": "Kitchen"}, actor=ACTOR)
    wide = {"scope": "category", "categories": [category]}
    assert set(warned(check(api, draft(**wide)))) == {"no_goods"}
    cheap, dear = (shop.product(price=price, cost=60, category=category) for price in (100, 200))
    left_out = warned(check(api, draft(**wide, rule={"price": 150})))
    assert set(left_out) == {"not_below_base"}
    assert (left_out["not_below_base"]["count"], left_out["not_below_base"]["skus"]) == (1, [cheap])
    losing = warned(check(api, draft(**wide, rule={"percent_off": 50})))
    assert losing["below_cost"]["skus"] == [cheap]
    assert "-10" in losing["below_cost"]["message"]
    assert dear not in losing["below_cost"]["skus"]


def test_gifts_and_later_steps_count_into_the_margin(api: Api, shop: Shop) -> None:
    kettle, mug, lamp = (
        shop.product(price=1000, cost=700),
        shop.product(cost=500),
        shop.product(price=900, cost=300),
    )
    given = {"gifts": [{"sku": mug, "quantity": 1}]}
    gift = draft(kettle, type="item_gift", rule=given)
    assert check(api, gift)["priced"]["catalogue"]["worst_margin"] == 1000 - 700 - 500
    ladder = {"by": "count", "tiers": [{"at": 2, "percent_off": 10}, {"at": 5, "percent_off": 40}]}
    report = check(api, draft(kettle, type="threshold_discount", rule=ladder))
    [item] = report["priced"]["catalogue"]["items"]
    assert (item["reach_quantity"], item["unit_price"], item["margin"]) == (2, 900, 600 - 700)
    assert (item["before"], item["after"]) == (1000, 1000)
    tiers = {"tiers": [{"spend": 0, "options": [{"sku": lamp, "price": 299}]}]}
    options = warned(check(api, draft(kettle, type="add_on", rule=tiers)))
    assert options["add_on_below_cost"]["skus"] == [lamp]


def test_overlaps_tell_who_wins_and_why(api: Api, shop: Shop) -> None:
    one, two, other = (shop.product() for _ in range(3))
    above = published(api, shop, one, two, priority=7, name="Above")
    below = published(api, shop, two, priority=1)
    later = published(api, shop, one, priority=5, starts_at=NOW_MS + 2 * HOUR_MS)
    tied = published(api, shop, one, priority=5, starts_at=NOW_MS + HOUR_MS)
    group = published(api, shop, one, type="group_buy", rule={"price": 10, "size": 2, "hours": 24})
    published(api, shop, other, priority=9)
    published(api, shop, one, priority=9, starts_at=NOW_MS, ends_at=NOW_MS + HOUR_MS)
    published(api, shop, one, other, priority=9, exclude=[one])
    published(api, shop, one, priority=9, starts_at=NOW_MS + 3 * HOUR_MS, ends_at=NOW_MS + 4 * HOUR_MS)
    published(api, shop, one, priority=9, channels=["store"])
    report = check(api, draft(one, two, priority=5, code="z", channels=["web"], starts_at=NOW_MS + HOUR_MS))
    found = {each["code"]: each for each in report["overlaps"]}
    assert report["overlaps_total"] == 5
    assert {code: (each["winner"], each["why"]) for code, each in found.items()} == {
        above: (above, "priority"),
        below: ("z", "priority"),
        later: (later, "start"),
        tied: (tied, "code"),
        group: (None, "own_button"),
    }
    assert (found[above]["goods"], found[above]["skus"]) == (2, sorted((one, two)))
    assert (found[above]["name"], found[above]["state"], found[above]["priority"]) == ("Above", "not_started", 7)


def test_a_campaign_for_all_overlaps_by_category(api: Api, shop: Shop) -> None:
    category = shop.unique("bath")
    categories.create(shop.resources, {"id": category, "name": "Bath"}, actor=ACTOR)
    skus = sorted(shop.product(category=category) for _ in range(7))
    code = published(api, shop, scope="category", categories=[category], exclude=[skus[0]])
    report = check(api, draft(scope="all", exclude=[skus[1]]))
    [found] = [each for each in report["overlaps"] if each["code"] == code]
    assert (found["goods"], found["skus"]) == (5, skus[2:])


def test_goods_that_are_always_beaten_are_dead(api: Api, shop: Shop) -> None:
    one, two = sorted(shop.product() for _ in range(2))
    first = published(api, shop, one, priority=9, ends_at=NOW_MS + 2 * HOUR_MS)
    wanted = draft(one, two)
    assert check(api, wanted)["dead"] == {"whole": False, "count": 0, "goods": [], "audience": None}
    gap = published(api, shop, one, priority=8, starts_at=NOW_MS + 2 * HOUR_MS + 1)
    assert check(api, wanted)["dead"]["count"] == 0
    api.delete(f"/campaigns/{gap}")
    second = published(api, shop, one, priority=8, starts_at=NOW_MS + 2 * HOUR_MS)
    dead = check(api, wanted)["dead"]
    assert (dead["whole"], dead["goods"]) == (False, [{"sku": one, "beaten_by": [first, second]}])
    members = published(api, shop, two, priority=8, audience={"kind": "members"})
    assert check(api, wanted)["dead"]["count"] == 1
    assert check(api, {**wanted, "audience": {"kind": "members"}})["dead"]["whole"] is True
    limited = published(api, shop, two, priority=9, limits={"total": 5})
    assert check(api, wanted)["dead"]["count"] == 1
    assert {members, limited} <= {each["code"] for each in check(api, wanted)["overlaps"]}
    published(api, shop, two, priority=9)
    assert check(api, wanted)["dead"]["whole"] is True
    assert check(api, {**wanted, "priority": 10})["dead"]["count"] == 0


def test_an_audience_that_nobody_can_be_in_is_dead(api: Api, shop: Shop) -> None:
    wanted = draft(shop.product(), audience={"kind": "members", "member_days": 36_500})
    dead = check(api, wanted)["dead"]
    assert (dead["whole"], dead["count"]) == (True, 0)
    assert "36500 days" in dead["audience"]


def test_orders_are_priced_again(api: Api, shop: Shop) -> None:
    sale = shop.campaign()
    sku = sale.items[0].sku
    for quantity in (1, 3, 3):
        shop.order(sale.items[0].offer, quantity=quantity)
    published(api, shop, sku, rule={"amount_off": 900}, starts_at=NOW_MS - HOUR_MS)
    wanted = draft(sku, type="threshold_reduction", priority=3)
    wanted["rule"] = {"mode": "tiers", "tiers": [{"spend": 38000, "off": 5000}]}
    told = check(api, wanted, "?orders=3")["priced"]["orders"]
    assert told == {"orders": 3, "skipped": 0, "changed": 3, "given_before": 7 * 900, "given_after": 2 * 5000}
    assert check(api, wanted, "?orders=2")["priced"]["orders"]["orders"] == 2
    api.patch(f"/products/{sku}", {"on_sale": False})
    assert check(api, {**wanted, "scope": "all", "items": []}, "?orders=3")["priced"]["orders"]["skipped"] == 3


def test_carts_that_were_ordered_are_priced_again_by_their_goods(api: Api, shop: Shop) -> None:
    one, two, mug = shop.product(), shop.product(price=5000), shop.product(gift_only=True)
    tiers = [{"at": 1, "gifts": [{"sku": mug, "quantity": 1}]}]
    rule = {"by": "count", "mode": "best", "tiers": tiers}
    published(api, shop, one, type="threshold_gift", rule=rule, starts_at=NOW_MS - HOUR_MS)
    ann = Shopper(api, shop.unique("ann"))
    cart = {"lines": [{"sku": one, "quantity": 2}, {"sku": two, "quantity": 3}]}
    quote = api.post("/api/quote", cart, key=ann.token)
    assert quote["gifts"]
    api.post("/api/orders", {"token": quote["token"]}, 201, key=ann.token)
    wanted = draft(one, two, type="threshold_reduction", priority=3)
    wanted["rule"] = {"mode": "tiers", "tiers": [{"spend": 2 * 12900 + 3 * 5000, "off": 700}]}
    told = check(api, wanted, "?orders=1")["priced"]["orders"]
    assert told == {"orders": 1, "skipped": 0, "changed": 1, "given_before": 0, "given_after": 700}


def test_a_generated_label_that_is_too_wide_is_told() -> None:
    labels = {"en": "x" * 24, "zh-Hant": "折" * 13}
    for typed, expected in ((None, ["label_too_wide"]), ("Typed", [])):
        found = read_campaign("wide", {**draft("kettle"), "revision": 0, "label": typed}, "CNY")
        told = of_terms(replace(found, labels=labels), NOW_MS, levels_exist=True)
        assert [each.code for each in told] == expected


def test_the_report_says_when_it_stopped(api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    skus = [shop.product() for _ in range(3)]
    monkeypatch.setattr(service, "PRICED_MAX", 2)
    catalogue = check(api, draft(*skus))["priced"]["catalogue"]
    assert (catalogue["goods"], catalogue["priced"], catalogue["stopped"]) == (3, 2, True)


def test_nothing_is_written(api: Api, shop: Shop) -> None:
    sku = shop.product(price=10000, cost=1)
    published(api, shop, sku)
    code = shop.unique("c")
    api.post("/campaigns", {**draft(sku), "code": code, "draft": True}, 201)
    before = rows(shop)
    seckill = draft(
        shop, type="seckill", rule={"price": 1}, items=[{"sku": sku, "stock": 5}], code=shop.unique("s")
    )
    for body in ({"code": code}, draft(sku), draft("ghost"), draft(scope="all"), seckill):
        check(api, body, "")
    assert rows(shop) == before
    assert shop.free(sku) == 500


def rows(shop: Shop) -> dict[str, Any]:
    """How many rows each table has, and the number of the newest change."""
    with reading(shop.resources.engine) as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
        number = connection.execute(select(metadata.tables["change_counter"].c.number)).scalar_one()
    return {**counts, "number": number}


def test_a_cart_is_tried_as_if_the_draft_were_published(api: Api, shop: Shop) -> None:
    sku, gift = shop.product(price=10_000, stock=10), shop.product(price=3_000, stock=10)
    window = {"starts_at": NOW_MS - HOUR_MS, "ends_at": NOW_MS + 5 * HOUR_MS}
    rival = api.post("/campaigns", draft(sku, priority=1, **window), 201)["code"]
    about = {"type": "item_gift", "rule": {"gifts": [{"sku": gift, "quantity": 1}]}, "priority": 2, "draft": True}
    code = api.post("/campaigns", draft(sku, **about), 201)["code"]
    cart = {"lines": [{"sku": sku, "quantity": 2}]}

    tried = api.post(f"/campaigns/{code}/quote", cart)

    assert tried["lines"][0]["campaign"] == code
    assert [(each["sku"], each["quantity"]) for each in tried["gifts"]] == [(gift, 2)]
    assert "token" not in tried
    # Before it begins, the other one is joined; the real shop never hears of the draft.
    earlier = api.post(f"/campaigns/{code}/quote", {**cart, "at": NOW_MS})
    assert earlier["lines"][0]["campaign"] == rival
    assert api.post("/quote", {**cart, "at": NOW_MS + 2 * HOUR_MS})["lines"][0]["campaign"] == rival


def test_only_a_draft_that_is_settled_can_be_tried(api: Api, shop: Shop) -> None:
    sku = shop.product()
    code = api.post("/campaigns", draft(sku, rule={}, draft=True), 201)["code"]
    cart = {"lines": [{"sku": sku, "quantity": 1}]}

    assert fields_of(api.post(f"/campaigns/{code}/quote", cart, 422)) == {"rule": "missing"}
    api.patch(f"/campaigns/{code}", {"rule": {"percent_off": 10}})
    assert fields_of(api.post(f"/campaigns/{code}/quote", {"lines": 1}, 422)) == {"lines": "not_a_list"}
    api.post(f"/campaigns/{code}/publish", {})
    assert api.post(f"/campaigns/{code}/quote", cart, 409)["state"] == "not_started"

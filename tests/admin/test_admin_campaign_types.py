"""Given campaigns of all types, they are kept, shown, recorded and copied alike; the gateway gets only its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from campaigning import HOUR_MS, example, goods, noted
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import func, select, update

from admin.campaigns import editing, service, stock
from admin.errors import Conflict, Invalid
from admin.promotions import registry
from admin.promotions.model import PromotionType
from admin.reports import campaign as campaign_report
from admin.resources import Resources
from gateway.orders.database import reading, writing
from gateway.orders.tables import offers, orders


def test_all_but_seckill_need_no_redis_no_offer_and_no_stock(
    shop: Shop, broken_redis: Resources, unique: Callable[[str], str]
) -> None:
    away = Shop(broken_redis, unique)
    for promotion in registry.available().values():
        goods(shop, promotion)
        body = example(shop, promotion)
        if promotion.sold_by_gateway:
            continue
        made = service.create(broken_redis, body, actor=ACTOR)
        assert (made.state, made.error) == ("running", None)
        assert campaign_report.make(broken_redis, made.code).total.orders == 0
        if body.get("items"):
            assert [item.sku for item in made.items] == [item["sku"] for item in body["items"]]
            for shown, sent in zip(made.items, body["items"], strict=True):
                # Its own terms, and null for those that it leaves to the rule.
                terms = shown.model_dump(exclude={"removed"})
                assert terms == {**dict.fromkeys(terms), **sent}
                assert away.free(sent["sku"]) == 1_000_000
            top_up = {"delta": 1, "operation_id": "x"}
            with pytest.raises(Conflict, match="from their own stock"):
                stock.change_stock(broken_redis, made.code, made.items[0].sku, top_up, actor=ACTOR)
        made = editing.change(broken_redis, body["code"], {"slogan": "New"}, actor=ACTOR)
        service.pause(broken_redis, made.code, actor=ACTOR)
        service.terminate(broken_redis, made.code, {}, actor=ACTOR)
        assert service.delete_campaign(broken_redis, made.code, actor=ACTOR).deleted == made.code
    with reading(shop.resources.engine) as connection:
        assert connection.execute(select(func.count()).select_from(offers)).scalar_one() == 0


def test_every_change_is_recorded_with_what_prices_need(shop: Shop) -> None:
    for promotion in registry.available().values():
        goods(shop, promotion)
        body = example(shop, promotion, draft=True)
        code, resources = body["code"], shop.resources
        service.create(resources, body, actor=ACTOR)
        service.publish(resources, code, actor=ACTOR)
        editing.change(resources, code, {"slogan": "New"}, actor=ACTOR)
        editing.change(resources, code, {"slogan": "New"}, actor=ACTOR)  # changes nothing
        service.pause(resources, code, actor=ACTOR)
        service.resume(resources, code, actor=ACTOR)
        with pytest.raises(Conflict):
            service.publish(resources, code, actor=ACTOR)
        if body.get("items"):
            goods_too = {**body["items"][0], "sku": shop.product(price=99_000)}
            editing.add_item(resources, code, goods_too, actor=ACTOR)
            editing.remove_item(resources, code, goods_too["sku"], actor=ACTOR)
        service.terminate(resources, code, {}, actor=ACTOR)
        service.delete_campaign(resources, code, actor=ACTOR)
        told = noted(shop, code)
        assert told[-1] is None
        assert [each["revision"] for each in told[:-1]] == list(range(1, len(told)))
        assert [each["draft"] for each in told[:2]] == [True, False]
        assert (told[2]["slogan"], told[3]["paused"], told[4]["paused"]) == ("New", True, False)
        assert told[-2]["terminated_at"] is not None
        assert (told[0]["starts_at"], told[0]["ends_at"]) == (body["starts_at"], body["ends_at"])
        counts = [len(each["items"]) for each in told[:-1]]
        usual = counts[0]
        assert counts == [*[usual] * 5, *([usual + 1, usual] if body.get("items") else []), usual]
        kept = {each["sku"]: each for each in told[0]["items"]}
        assert all({**kept[sent["sku"]], **sent} == kept[sent["sku"]] for sent in body.get("items", ()))


# What is below does not differ between databases, so it shares one on SQLite.


@pytest.fixture(params=sorted(registry.available()))
def promotion(request: pytest.FixtureRequest, shared_shop: Shop) -> PromotionType:
    found = registry.available()[request.param]
    goods(shared_shop, found)
    return found


def test_a_draft_may_lack_anything_and_publishing_says_what(shared_shop: Shop, promotion: PromotionType) -> None:
    rule: dict[str, Any] = dict(promotion.body["rule"])
    told = []
    for name, usual in rule.items():
        for part in (
            {each: value for each, value in rule.items() if each != name},
            {**rule, name: [{}] if isinstance(usual, list) else None},
            {**rule, name: []},
        ):
            body = example(shared_shop, promotion, rule=part, draft=True)
            try:
                service.create(shared_shop.resources, body, actor=ACTOR)
                service.publish(shared_shop.resources, body["code"], actor=ACTOR)
            except Invalid as error:
                told += error.errors
    assert told
    assert all(each.field.startswith(("rule", "items")) for each in told)
    empty = {"type": promotion.name, "code": shared_shop.unique("empty"), "draft": True}
    draft = service.create(shared_shop.resources, empty, actor=ACTOR)
    assert (draft.state, draft.items) == ("draft", [])
    with pytest.raises(Invalid) as refused:
        service.publish(shared_shop.resources, draft.code, actor=ACTOR)
    assert {"name", "starts_at", "ends_at"} < {each.field for each in refused.value.errors}


def test_a_copy_is_a_draft_with_all_terms_and_without_a_window(shared_shop: Shop, promotion: PromotionType) -> None:
    body = example(shared_shop, promotion)
    service.create(shared_shop.resources, body, actor=ACTOR)
    service.terminate(shared_shop.resources, body["code"], {}, actor=ACTOR)
    ended = service.read(shared_shop.resources, body["code"])
    made = service.copy(shared_shop.resources, body["code"], {"name": "Again"}, actor=ACTOR)
    assert (made.state, made.starts_at, made.ends_at, made.name) == ("draft", None, None, "Again")
    own = {"offer", "offer_price", "offer_state"}
    assert [each.model_dump(exclude=own) for each in made.items] == [
        each.model_dump(exclude=own) for each in ended.items
    ]
    same = ("rule", "slogan", "priority", "audience", "scope", "coupons_allowed", "limits", "labels")
    assert [getattr(made, name) for name in same] == [getattr(ended, name) for name in same]
    window = {"starts_at": shared_shop.now_ms() + HOUR_MS, "ends_at": shared_shop.now_ms() + 2 * HOUR_MS}
    editing.change(shared_shop.resources, made.code, window, actor=ACTOR)
    assert service.publish(shared_shop.resources, made.code, actor=ACTOR).state == "not_started"


# What publishing depends on.


def test_a_gift_may_have_to_be_one_that_is_not_for_sale(shared_shop: Shop) -> None:
    kettle, mug = shared_shop.product(), shared_shop.product()
    about = {"rule": {"gifts": [{"sku": mug, "quantity": 1}]}, "items": [{"sku": kettle}]}
    body = example(shared_shop, registry.available()["item_gift"], **about)
    strict = replace(
        shared_shop.resources, settings=replace(shared_shop.resources.settings, gift_goods="gift_only")
    )
    with pytest.raises(Invalid) as refused:
        service.create(strict, body, actor=ACTOR)
    assert [each.field for each in refused.value.errors] == ["rule.gifts.0.sku"]
    made = service.create(shared_shop.resources, body, actor=ACTOR)
    # What is published already is not judged again for what it was.
    assert editing.change(strict, made.code, {"slogan": "Still on"}, actor=ACTOR).slogan == "Still on"


def test_items_that_a_type_takes_from_its_rule_follow_it(shared_shop: Shop) -> None:
    one, two, three = (shared_shop.product() for _ in range(3))
    now = shared_shop.now_ms()
    parts = [{"sku": one, "quantity": 1}, {"sku": two, "quantity": 2}]
    body = example(shared_shop, registry.available()["bundle"], rule={"price": 9900, "components": parts})
    made = service.create(shared_shop.resources, {**body, "starts_at": now + HOUR_MS // 2}, actor=ACTOR)
    assert [each.sku for each in made.items] == [one, two]
    patch = {"rule": {"components": [{"sku": three, "quantity": 2}]}}
    changed = editing.change(shared_shop.resources, made.code, patch, actor=ACTOR)
    assert [each.sku for each in changed.items] == [three]


def test_a_category_must_be_in_the_tree_or_in_use(shared_shop: Shop) -> None:
    category = shared_shop.unique("category")
    shared_shop.product(category=category)
    promotion = registry.available()["threshold_reduction"]
    body = example(shared_shop, promotion, scope="category", categories=[category, "nowhere"])
    with pytest.raises(Invalid) as refused:
        service.create(shared_shop.resources, body, actor=ACTOR)
    assert [each.field for each in refused.value.errors] == ["categories.1"]
    service.create(shared_shop.resources, {**body, "categories": [category]}, actor=ACTOR)


def test_a_campaign_with_unpaid_orders_is_not_archived(shared_shop: Shop) -> None:
    campaign = shared_shop.campaign()
    order_no = shared_shop.order(campaign.items[0].offer)
    service.terminate(shared_shop.resources, campaign.code, {}, actor=ACTOR)
    with pytest.raises(Conflict) as refused:
        service.delete_campaign(shared_shop.resources, campaign.code, actor=ACTOR)
    assert (refused.value.code, refused.value.members["state"]) == ("orders_pending", "ended")
    with writing(shared_shop.resources.engine) as connection:
        connection.execute(update(orders).where(orders.c.order_no == order_no).values(status="paid"))
    for _ in range(2):
        assert service.delete_campaign(shared_shop.resources, campaign.code, actor=ACTOR).archived == campaign.code
    assert service.read(shared_shop.resources, campaign.code).revision == 3


# Sessions.


def test_a_session_gives_the_window(api: Api, shop: Shop) -> None:
    api.post("/sessions", {"id": "night", "name": "Night", "starts": "22:00", "ends": "00:30"}, 201)
    api.post("/sessions", {"id": "noon", "name": "Noon", "starts": "12:00", "ends": "14:00"}, 201)
    rule = {"price": 9900, "session": {"id": "night", "date": "2035-07-01"}}
    body = shop.body(rule=rule)
    wrong = {**body, "starts_at": "2035-07-01T22:00:00+08:00", "ends_at": "2035-07-02T00:00:00+08:00"}
    assert fields_of(api.post("/campaigns", wrong, 422)) == {"ends_at": "not_the_session"}
    del body["starts_at"], body["ends_at"]
    made = api.post("/campaigns", body, 201)
    assert made["starts_at"] == "2035-07-01T22:00:00+08:00"
    assert made["ends_at"] == "2035-07-02T00:30:00+08:00"
    path, offer = f"/campaigns/{made['code']}", made["items"][0]["offer"]
    assert shop.offer(offer).card["session"] == "night"
    # What is published keeps its window, whatever becomes of the session.
    api.patch("/sessions/night", {"ends": "01:00"})
    assert api.patch(path, {"slogan": "Late"})["ends_at"] == made["ends_at"]
    assert fields_of(api.patch(path, {"starts_at": 2_000_000_000_000}, 422)) == {
        "starts_at": "not_the_session",
        "ends_at": "not_the_session",
    }
    moved = api.patch(path, {"rule": {"session": {"id": "noon", "date": "2035-07-02"}}})
    assert (moved["starts_at"], moved["ends_at"]) == ("2035-07-02T12:00:00+08:00", "2035-07-02T14:00:00+08:00")
    assert (shop.offer(offer).card["session"], shop.offer(offer).starts_at_ms) == ("noon", 2_066_961_600_000)
    copied = api.post(f"{path}/copy", {}, 201)
    next_day = {"rule": {"session": {"id": "noon", "date": "2035-07-03"}}}
    assert api.patch(f"/campaigns/{copied['code']}", next_day)["starts_at"] is None
    published = api.post(f"/campaigns/{copied['code']}/publish")
    assert published["starts_at"] == "2035-07-03T12:00:00+08:00"

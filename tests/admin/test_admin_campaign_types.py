"""Given campaigns of all types, they are kept, shown, recorded and copied alike; the gateway gets only its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from sidecar import ACTOR, Api, Shop, click, fields_of, settings_for
from sqlalchemy import event, func, select, update

from admin import changes, migrations
from admin.campaigns import editing, lists, service
from admin.campaigns.models import CampaignFilter
from admin.campaigns.tables import campaign_items, campaigns
from admin.errors import Conflict, Invalid
from admin.promotions import registry
from admin.promotions.model import PromotionType
from admin.resources import Resources
from gateway.orders.database import reading, writing
from gateway.orders.tables import offers, orders

HOUR_MS = 3_600_000
EVERYTHING = CampaignFilter.model_validate({"limit": "500"})


def goods(shop: Shop, promotion: PromotionType) -> None:
    """The products of a type's example."""
    fields: Any = promotion.campaign.model_validate({**promotion.body, "draft": True})
    for sku in {*(item.sku for item in fields.items), *promotion.named(fields.rule)}:
        with suppress(Conflict):
            shop.product(sku=sku, price=99_000, stock=1_000_000)


def example(shop: Shop, promotion: PromotionType, **about: Any) -> dict[str, Any]:
    """A type's example that runs now."""
    now = shop.now_ms()
    return {
        **copy.deepcopy(dict(promotion.body)),
        "starts_at": now - HOUR_MS,
        "ends_at": now + HOUR_MS,
        "code": shop.unique("any"),
        **about,
    }


def noted(shop: Shop, code: str) -> list[Any]:
    """What is recorded of a campaign for prices, oldest first."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(
            select(changes.changes).where(changes.changes.c.subject == code).order_by(changes.changes.c.number)
        )
        return [row.body for row in rows]


def overwrite(shop: Shop, code: str, **values: Any) -> None:
    """Store what a newer version might have stored."""
    with writing(shop.resources.engine) as connection:
        connection.execute(update(campaigns).where(campaigns.c.code == code).values(**values))


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
        if not body.get("items"):
            continue
        assert [item.sku for item in made.items] == [item["sku"] for item in body["items"]]
        for shown, sent in zip(made.items, body["items"], strict=True):
            # Its own terms, and null for those that it leaves to the rule.
            terms = shown.model_dump(exclude={"removed"})
            assert terms == {**dict.fromkeys(terms), **sent}
            assert away.free(sent["sku"]) == 1_000_000
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


# Everything below differs neither between databases nor between tests, so it shares one on SQLite.


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, redis_server: Any) -> Iterator[Resources]:
    url = f"sqlite:///{tmp_path_factory.mktemp('types') / 'ledger.db'}"
    migrations.upgrade(url)
    opened = Resources.open(settings_for(url, redis_server.url))
    yield opened
    opened.close()


@pytest.fixture
def bench(shared: Resources, unique: Callable[[str], str]) -> Shop:
    return Shop(shared, unique)


@pytest.fixture(params=sorted(registry.available()))
def promotion(request: pytest.FixtureRequest, bench: Shop) -> PromotionType:
    found = registry.available()[request.param]
    goods(bench, found)
    return found


def test_a_draft_may_lack_anything_and_publishing_says_what(bench: Shop, promotion: PromotionType) -> None:
    rule: dict[str, Any] = dict(promotion.body["rule"])
    told = []
    for name, usual in rule.items():
        for part in (
            {each: value for each, value in rule.items() if each != name},
            {**rule, name: [{}] if isinstance(usual, list) else None},
            {**rule, name: []},
        ):
            body = example(bench, promotion, rule=part, draft=True)
            try:
                service.create(bench.resources, body, actor=ACTOR)
                service.publish(bench.resources, body["code"], actor=ACTOR)
            except Invalid as error:
                told += error.errors
    assert told
    assert all(each.field.startswith(("rule", "items")) for each in told)
    empty = {"type": promotion.name, "code": bench.unique("empty"), "draft": True}
    draft = service.create(bench.resources, empty, actor=ACTOR)
    assert (draft.state, draft.items) == ("draft", [])
    with pytest.raises(Invalid) as refused:
        service.publish(bench.resources, draft.code, actor=ACTOR)
    assert {"name", "starts_at", "ends_at"} < {each.field for each in refused.value.errors}


def test_a_copy_is_a_draft_with_all_terms_and_without_a_window(bench: Shop, promotion: PromotionType) -> None:
    body = example(bench, promotion)
    service.create(bench.resources, body, actor=ACTOR)
    service.terminate(bench.resources, body["code"], {}, actor=ACTOR)
    ended = service.read(bench.resources, body["code"])
    made = service.copy(bench.resources, body["code"], {"name": "Again"}, actor=ACTOR)
    assert (made.state, made.starts_at, made.ends_at, made.name) == ("draft", None, None, "Again")
    own = {"offer", "offer_price", "offer_state"}
    assert [each.model_dump(exclude=own) for each in made.items] == [
        each.model_dump(exclude=own) for each in ended.items
    ]
    same = ("rule", "slogan", "priority", "audience", "scope", "coupons_allowed", "limits", "labels")
    assert [getattr(made, name) for name in same] == [getattr(ended, name) for name in same]
    window = {"starts_at": bench.now_ms() + HOUR_MS, "ends_at": bench.now_ms() + 2 * HOUR_MS}
    editing.change(bench.resources, made.code, window, actor=ACTOR)
    assert service.publish(bench.resources, made.code, actor=ACTOR).state == "not_started"


def test_a_rule_that_cannot_be_read_is_shown_and_can_be_stopped(bench: Shop, promotion: PromotionType) -> None:
    resources, code = bench.resources, bench.unique("broken")
    made = service.create(resources, example(bench, promotion, code=code), actor=ACTOR)
    with reading(resources.engine) as connection:
        terms = connection.execute(select(campaigns.c.terms).where(campaigns.c.code == code)).scalar_one()
    overwrite(bench, code, terms={**terms, "rule": {**terms["rule"], "colour": "red"}})
    shown = service.read(resources, code)
    assert "rule.colour" in (shown.error or "")
    assert (shown.rule["colour"], shown.name, shown.state) == ("red", made.name, "running")
    assert [each.sku for each in shown.items] == [each.sku for each in made.items]
    listed = {each.code: each for each in lists.page(resources, EVERYTHING).items}
    assert (listed[code].error, listed[code].rule) == (shown.error, shown.rule)
    assert all(each.error is None for each in listed.values() if each.code.startswith("any"))
    for change in (
        lambda: editing.change(resources, code, {"name": "Other"}, actor=ACTOR),
        lambda: editing.add_item(resources, code, {"sku": "lamp"}, actor=ACTOR),
        lambda: editing.remove_item(resources, code, "kettle", actor=ACTOR),
        lambda: service.resume(resources, code, actor=ACTOR),
    ):
        with pytest.raises(Conflict, match=r"rule\.colour") as refused:
            change()
        assert refused.value.code == "unreadable"
    assert service.pause(resources, code, actor=ACTOR).state == "paused"
    assert service.terminate(resources, code, {}, actor=ACTOR).state == "ended"
    assert noted(bench, code)[-1]["rule"]["colour"] == "red"
    # The copy is where it is repaired: what cannot be read is left out.
    repaired = service.copy(resources, code, {}, actor=ACTOR)
    assert (repaired.error, repaired.rule) == (None, made.rule)
    assert service.delete_campaign(resources, code, actor=ACTOR).deleted == code


@pytest.mark.parametrize(
    "values",
    [
        {"type": "lottery"},
        {"terms": {}},
        {"terms": []},
        {"terms": {"rule": "none", "name": 7, "audience": [], "scope": "moon", "texts": 1, "limits": {"a": 1}}},
    ],
    ids=["unknown type", "no terms", "a list", "nonsense"],
)
def test_whatever_is_stored_can_be_shown_and_deleted(bench: Shop, values: dict[str, Any]) -> None:
    sku, resources = bench.product(), bench.resources
    made = bench.campaign(items=[{"sku": sku, "stock": 5}])
    overwrite(bench, made.code, **values)
    shown = service.read(resources, made.code)
    assert (shown.type, shown.items[0].offer, shown.items[0].stock) == (
        values.get("type", "seckill"),
        made.items[0].offer,
        5,
    )
    assert made.code in [each.code for each in lists.page(resources, EVERYTHING).items]
    # The gateway follows, although nobody knows what the campaign says.
    service.pause(resources, made.code, actor=ACTOR)
    assert click(resources.redis, made.items[0].offer, ["ann"]) == ["P"]
    service.terminate(resources, made.code, {}, actor=ACTOR)
    assert click(resources.redis, made.items[0].offer, ["ann"]) == ["E"]
    if shown.error is not None and "type" in values:
        with pytest.raises(Conflict, match="no promotion type lottery"):
            service.copy(resources, made.code, {}, actor=ACTOR)
    service.delete_campaign(resources, made.code, actor=ACTOR)
    assert bench.free(sku) == 500


def test_an_item_that_cannot_be_read_is_shown_as_stored(bench: Shop) -> None:
    promotion = registry.available()["item_discount"]
    goods(bench, promotion)
    made = service.create(bench.resources, example(bench, promotion), actor=ACTOR)
    with writing(bench.resources.engine) as connection:
        mine = campaign_items.c.campaign == made.code, campaign_items.c.sku == made.items[0].sku
        connection.execute(update(campaign_items).where(*mine).values(terms={"price_in_shells": 3}))
    shown = service.read(bench.resources, made.code)
    assert shown.items[0].model_dump()["terms"] == {"price_in_shells": 3}
    assert "items.0.price_in_shells" in (shown.error or "")


# Lists.


@contextmanager
def statements(resources: Resources) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(resources.engine, "before_cursor_execute", listen)
    yield asked
    event.remove(resources.engine, "before_cursor_execute", listen)


def test_lists_show_labels_without_reading_items(bench: Shop) -> None:
    promotion = registry.available()["item_discount"]
    goods(bench, promotion)
    made = service.create(bench.resources, example(bench, promotion), actor=ACTOR)
    wanted = CampaignFilter(q=made.code)
    with statements(bench.resources) as asked:
        listed = lists.page(bench.resources, wanted).items
    assert [(each.code, each.label, each.item_count) for each in listed] == [(made.code, made.label, 2)]
    assert not any("campaign_items" in statement for statement in asked)
    # A change by an older version, which writes no labels down: then they are read off the items.
    with writing(bench.resources.engine) as connection:
        one = update(campaigns).where(campaigns.c.code == made.code)
        connection.execute(one.values(revision=campaigns.c.revision + 1))
        mine = campaign_items.c.campaign == made.code, campaign_items.c.position == 1
        connection.execute(update(campaign_items).where(*mine).values(removed=True))
    listed = lists.page(bench.resources, wanted).items
    assert [(each.label, each.item_count) for each in listed] == [("15% off", 1)]


def test_lists_find_what_was_typed(shop: Shop) -> None:
    word = shop.unique("word")
    codes = {
        "code": shop.campaign(code=f"a-{word}").code,
        "name": shop.campaign(name=f"銅壺 {word.upper()}").code,
        "slogan": shop.campaign(slogan=f"Only {word}!").code,
        "label": shop.campaign(label=word[-20:]).code,
    }
    shop.campaign()
    found = lists.page(shop.resources, CampaignFilter(q=word)).items
    assert {each.code for each in found} == set(codes.values())
    assert [each.code for each in lists.page(shop.resources, CampaignFilter(q="銅壺")).items] == [codes["name"]]
    assert lists.page(shop.resources, CampaignFilter(q="100%")).items == []
    assert lists.page(shop.resources, CampaignFilter(q=word, type="bundle")).items == []


# What publishing depends on.


def test_a_gift_may_have_to_be_one_that_is_not_for_sale(bench: Shop) -> None:
    kettle, mug = bench.product(), bench.product()
    about = {"rule": {"gifts": [{"sku": mug, "quantity": 1}]}, "items": [{"sku": kettle}]}
    body = example(bench, registry.available()["item_gift"], **about)
    strict = replace(bench.resources, settings=replace(bench.resources.settings, gift_goods="gift_only"))
    with pytest.raises(Invalid) as refused:
        service.create(strict, body, actor=ACTOR)
    assert [each.field for each in refused.value.errors] == ["rule.gifts.0.sku"]
    made = service.create(bench.resources, body, actor=ACTOR)
    # What is published already is not judged again for what it was.
    assert editing.change(strict, made.code, {"slogan": "Still on"}, actor=ACTOR).slogan == "Still on"


def test_items_that_a_type_takes_from_its_rule_follow_it(bench: Shop) -> None:
    one, two, three = (bench.product() for _ in range(3))
    now = bench.now_ms()
    parts = [{"sku": one, "quantity": 1}, {"sku": two, "quantity": 2}]
    body = example(bench, registry.available()["bundle"], rule={"price": 9900, "components": parts})
    made = service.create(bench.resources, {**body, "starts_at": now + HOUR_MS // 2}, actor=ACTOR)
    assert [each.sku for each in made.items] == [one, two]
    patch = {"rule": {"components": [{"sku": three, "quantity": 2}]}}
    changed = editing.change(bench.resources, made.code, patch, actor=ACTOR)
    assert [each.sku for each in changed.items] == [three]


def test_a_category_must_be_in_the_tree_or_in_use(bench: Shop) -> None:
    category = bench.unique("category")
    bench.product(category=category)
    promotion = registry.available()["threshold_reduction"]
    body = example(bench, promotion, scope="category", categories=[category, "nowhere"])
    with pytest.raises(Invalid) as refused:
        service.create(bench.resources, body, actor=ACTOR)
    assert [each.field for each in refused.value.errors] == ["categories.1"]
    service.create(bench.resources, {**body, "categories": [category]}, actor=ACTOR)


def test_a_campaign_with_unpaid_orders_is_not_archived(bench: Shop) -> None:
    campaign = bench.campaign()
    order_no = bench.order(campaign.items[0].offer)
    service.terminate(bench.resources, campaign.code, {}, actor=ACTOR)
    with pytest.raises(Conflict) as refused:
        service.delete_campaign(bench.resources, campaign.code, actor=ACTOR)
    assert (refused.value.code, refused.value.members["state"]) == ("orders_pending", "ended")
    with writing(bench.resources.engine) as connection:
        connection.execute(update(orders).where(orders.c.order_no == order_no).values(status="paid"))
    for _ in range(2):
        assert service.delete_campaign(bench.resources, campaign.code, actor=ACTOR).archived == campaign.code
    assert service.read(bench.resources, campaign.code).revision == 3


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

"""Given crashes and outages between the database and Redis, no sale is lost and no stock is seeded twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis
from sidecar import ACTOR, Shop
from sqlalchemy import update

from admin.campaigns import editing, publishing, service, stock
from admin.campaigns.publisher import Publisher
from admin.campaigns.tables import campaign_items
from admin.errors import Conflict, Deferred, Invalid, NotFound, Unavailable
from admin.resources import Resources
from gateway import keys
from gateway import offers as published
from gateway.orders.database import writing


class Crash(BaseException):
    """The process dies here; nothing between catches it."""


class Dying:
    """A Redis client that dies around its n-th script call or pipeline: `after` it has run, or before."""

    def __init__(self, client: Redis, *, calls: int = 1, after: bool) -> None:
        self._client = client
        self._calls = calls
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def evalsha(self, *arguments: Any) -> Any:
        return self._around(lambda: self._client.evalsha(*arguments))

    def pipeline(self, **options: Any) -> Any:
        pipeline = self._client.pipeline(**options)
        execute = pipeline.execute
        pipeline.execute = lambda: self._around(execute)  # type: ignore[method-assign]
        return pipeline

    def _around(self, step: Callable[[], Any]) -> Any:
        self._calls -= 1
        if self._calls == 0 and not self._after:
            raise Crash
        reply = step()
        if self._calls == 0:
            raise Crash
        return reply


def dying(resources: Resources, **about: Any) -> Resources:
    return replace(resources, redis=Dying(resources.redis, **about))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def scripts_loaded(redis: Redis) -> None:
    """A script that Redis does not know yet would count as two calls."""
    from gateway import scripts

    for name in scripts.names():
        redis.script_load(scripts.load(name).source)


@pytest.mark.parametrize("after", [False, True], ids=["before Redis", "after Redis"])
def test_a_crash_while_creating_loses_and_doubles_nothing(shop: Shop, after: bool) -> None:
    sku = shop.product(stock=500)
    body = shop.body(items=[{"sku": sku, "stock": 100}])
    with pytest.raises(Crash):
        service.create(dying(shop.resources, after=after), body, actor=ACTOR)
    offer = f"{body['code']}-{sku}"
    assert (published.read(shop.resources.redis, offer) is not None) == after

    Publisher(shop.resources).round()

    assert (shop.offer(offer).stock, shop.offer(offer).left) == (100, 100)
    assert shop.row(offer).seeded
    assert shop.row(offer).published_version == shop.row(offer).version == shop.offer(offer).version
    assert shop.free(sku) == 400


def test_sales_between_the_crash_and_the_next_publisher_are_kept(shop: Shop) -> None:
    body = shop.body()
    with pytest.raises(Crash):
        service.create(dying(shop.resources, after=True), body, actor=ACTOR)
    offer = f"{body['code']}-{body['items'][0]['sku']}"
    shop.sell(offer, 7)
    Publisher(shop.resources).round()
    assert (shop.offer(offer).stock, shop.offer(offer).left) == (100, 93)


def test_a_change_after_the_crash_is_published_over_the_seeded_offer(shop: Shop) -> None:
    body = shop.body(starts_at=shop.now_ms() + 60_000)
    with pytest.raises(Crash):
        service.create(dying(shop.resources, after=True), body, actor=ACTOR)
    editing.change(shop.resources, body["code"], {"rule": {"price": 8800}}, actor=ACTOR)
    offer = shop.offer(f"{body['code']}-{body['items'][0]['sku']}")
    assert (offer.price, offer.stock) == (8800, 100)


def test_redis_away_the_change_is_stored_and_published_later(shop: Shop, broken_redis: Resources) -> None:
    body = shop.body()
    with pytest.raises(Deferred):
        service.create(broken_redis, body, actor=ACTOR)
    offer = f"{body['code']}-{body['items'][0]['sku']}"
    assert published.read(shop.resources.redis, offer) is None
    assert service.read(shop.resources, body["code"]).items[0].offer_state == "pending"
    Publisher(shop.resources).round()
    assert shop.offer(offer).left == 100
    assert service.read(shop.resources, body["code"]).items[0].offer_state == "open"


def test_an_offer_that_redis_has_lost_is_never_seeded_again(shop: Shop) -> None:
    campaign = shop.campaign()
    offer = campaign.items[0].offer
    shop.resources.redis.delete(keys.offer(offer))
    with pytest.raises(Deferred, match="waits for recovery"):
        service.pause(shop.resources, campaign.code, actor=ACTOR)
    publisher = Publisher(shop.resources)
    publisher.round()
    publisher.round()
    assert published.read(shop.resources.redis, offer) is None
    assert any(offer in reason for reason in publisher.complaints())
    assert service.read(shop.resources, campaign.code).items[0].offer_state == "unavailable"


def test_an_offer_with_orders_is_not_seeded_even_when_unmarked(shop: Shop, broken_redis: Resources) -> None:
    body = shop.body()
    with pytest.raises(Deferred):
        service.create(broken_redis, body, actor=ACTOR)
    offer = f"{body['code']}-{body['items'][0]['sku']}"
    shop.order(offer)
    with pytest.raises(Deferred, match="waits for recovery"):
        publishing.publish_campaign(shop.resources, body["code"])
    assert published.read(shop.resources.redis, offer) is None


def test_somebody_elses_offer_of_the_same_id_is_not_taken_over(shop: Shop) -> None:
    body = shop.body()
    offer = f"{body['code']}-{body['items'][0]['sku']}"
    terms = published.Terms(offer, 1, 1, "open", 1, 2, 1, 1, 1, {})
    published.publish(shop.resources.redis, terms, seed=3, lease_ms=1)
    with pytest.raises(Deferred, match="waits for recovery"):
        service.create(shop.resources, body, actor=ACTOR)
    assert not shop.row(offer).seeded


def test_several_publishers_at_once_seed_once(shop: Shop, broken_redis: Resources) -> None:
    bodies = [shop.body() for _ in range(4)]
    for body in bodies:
        with pytest.raises(Deferred):
            service.create(broken_redis, body, actor=ACTOR)
    start = threading.Barrier(4)

    def publish(_number: int) -> None:
        start.wait()
        Publisher(shop.resources).round()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(publish, range(4)))
    for body in bodies:
        assert shop.offer(f"{body['code']}-{body['items'][0]['sku']}").left == 100


# Stock operations.


@pytest.mark.parametrize("after", [False, True], ids=["before Redis", "after Redis"])
@pytest.mark.parametrize("delta", [50, -30])
def test_a_crash_during_a_stock_operation_applies_it_once(shop: Shop, delta: int, after: bool) -> None:
    sku = shop.product(stock=500)
    campaign = shop.campaign(items=[{"sku": sku, "stock": 100}])
    offer, body = campaign.items[0].offer, {"delta": delta, "operation_id": shop.unique("op")}
    with pytest.raises(Crash):
        stock.change_stock(dying(shop.resources, after=after), campaign.code, sku, body, actor=ACTOR)

    Publisher(shop.resources).round()
    answer = stock.change_stock(shop.resources, campaign.code, sku, body, actor=ACTOR)

    assert answer.stock == shop.offer(offer).stock == shop.row(offer).stock == 100 + delta
    assert shop.free(sku) == 400 - delta
    assert shop.row(offer).unit_cap == max(100, 100 + delta) == shop.offer(offer).unit_cap


def test_a_repeated_operation_is_applied_once_and_answered_the_same(shop: Shop) -> None:
    campaign = shop.campaign()
    sku, body = campaign.items[0].sku, {"delta": 5, "operation_id": shop.unique("op")}
    first = stock.change_stock(shop.resources, campaign.code, sku, body, actor=ACTOR)
    stock.change_stock(
        shop.resources, campaign.code, sku, {"delta": 1, "operation_id": shop.unique("op")}, actor=ACTOR
    )
    service.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
    assert stock.change_stock(shop.resources, campaign.code, sku, body, actor=ACTOR) == first
    assert (first.stock, first.left) == (105, 105)


def test_an_operation_id_belongs_to_one_change(shop: Shop) -> None:
    campaign, other = shop.campaign(), shop.campaign()
    sku, name = campaign.items[0].sku, shop.unique("op")
    stock.change_stock(shop.resources, campaign.code, sku, {"delta": 5, "operation_id": name}, actor=ACTOR)
    for code, item, delta in ((campaign.code, sku, 6), (other.code, other.items[0].sku, 5)):
        body = {"delta": delta, "operation_id": name}
        with pytest.raises(Conflict) as caught:
            stock.change_stock(shop.resources, code, item, body, actor=ACTOR)
        assert caught.value.code == "operation_id_reused"
    assert shop.offer(campaign.items[0].offer).stock == 105


def test_a_cut_stops_at_what_is_held(shop: Shop) -> None:
    campaign = shop.campaign()
    item = campaign.items[0]
    shop.sell(item.offer, 60)
    body = {"delta": -41, "operation_id": shop.unique("op")}
    for _ in range(2):
        with pytest.raises(Conflict) as caught:
            stock.change_stock(shop.resources, campaign.code, item.sku, body, actor=ACTOR)
        assert (caught.value.code, caught.value.members["lowest"]) == ("below_held", 60)
    assert shop.row(item.offer).stock == shop.offer(item.offer).stock == 100
    fits = {"delta": -40, "operation_id": shop.unique("op")}
    assert stock.change_stock(shop.resources, campaign.code, item.sku, fits, actor=ACTOR).left == 0
    assert shop.free(item.sku) == 440


def test_a_raise_needs_free_stock(shop: Shop) -> None:
    sku = shop.product(stock=120)
    campaign = shop.campaign(items=[{"sku": sku, "stock": 100}])
    body = {"delta": 21, "operation_id": shop.unique("op")}
    with pytest.raises(Invalid) as caught:
        stock.change_stock(shop.resources, campaign.code, sku, body, actor=ACTOR)
    assert caught.value.errors[0].code == "not_enough_stock"
    assert (shop.free(sku), shop.offer(campaign.items[0].offer).stock) == (20, 100)


def test_simultaneous_operations_all_count_once(shop: Shop) -> None:
    campaign = shop.campaign()
    sku = campaign.items[0].sku
    bodies = [{"delta": delta, "operation_id": shop.unique("op")} for delta in (7, -3, 11, -5)]
    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(
                lambda body: stock.change_stock(shop.resources, campaign.code, sku, body, actor=ACTOR),
                bodies * 2,
            )
        )
    assert shop.offer(campaign.items[0].offer).stock == shop.row(campaign.items[0].offer).stock == 110
    assert shop.free(sku) == 390


def test_redis_away_nothing_is_stored_for_an_offer_it_has_never_had(shop: Shop, broken_redis: Resources) -> None:
    body = shop.body()
    with pytest.raises(Deferred):
        service.create(broken_redis, body, actor=ACTOR)
    sku = body["items"][0]["sku"]
    change = {"delta": 5, "operation_id": shop.unique("op")}
    with pytest.raises(Unavailable, match="nothing was stored"):
        stock.change_stock(broken_redis, body["code"], sku, change, actor=ACTOR)
    assert stock.change_stock(shop.resources, body["code"], sku, change, actor=ACTOR).stock == 105


# Removal and the end.


@pytest.mark.parametrize("after", [False, True], ids=["before Redis", "after Redis"])
def test_a_crash_while_deleting_is_finished_later(shop: Shop, after: bool) -> None:
    campaign = shop.later()
    item = campaign.items[0]
    with pytest.raises(Crash):
        service.delete_campaign(dying(shop.resources, after=after), campaign.code, actor=ACTOR)
    publisher = Publisher(shop.resources)
    publisher.round()
    with pytest.raises(NotFound):
        service.read(shop.resources, campaign.code)
    assert published.read(shop.resources.redis, item.offer) is None
    assert shop.free(item.sku) == 500
    assert publisher.lost == frozenset()


def test_a_deleted_campaign_can_be_made_again_under_its_code(shop: Shop) -> None:
    campaign = shop.later()
    sku = campaign.items[0].sku
    before = shop.row(campaign.items[0].offer).version
    service.delete_campaign(shop.resources, campaign.code, actor=ACTOR)
    again = shop.campaign(code=campaign.code, items=[{"sku": sku, "stock": 3}])
    assert shop.offer(again.items[0].offer).left == 3
    assert shop.row(again.items[0].offer).version > before


def test_unsold_units_go_back_after_the_end(shop: Shop) -> None:
    campaign = shop.campaign()
    item = campaign.items[0]
    shop.sell(item.offer, 40)
    service.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
    assert shop.free(item.sku) == 400
    _end_long_ago(shop, campaign.code)
    Publisher(shop.resources).round()
    Publisher(shop.resources).round()
    assert shop.free(item.sku) == 460
    report_stock = shop.row(item.offer).stock
    assert report_stock == 100


def _end_long_ago(shop: Shop, code: str) -> None:
    from admin.campaigns.tables import campaigns

    with writing(shop.resources.engine) as connection:
        connection.execute(
            update(campaigns).where(campaigns.c.code == code).values(terminated_at_ms=shop.now_ms() - 60_000)
        )
        connection.execute(update(campaign_items).where(campaign_items.c.campaign == code).values(settled=False))

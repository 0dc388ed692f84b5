"""Given a shop whose offers have three buckets, operators and shoppers see each of them as one offer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from buying import BOB, TOKEN_SECRET, Shopper
from sidecar import ACTOR, Api, Shop, settings_for
from sqlalchemy import update
from test_admin_receipts import receipt_of

from admin.campaigns import service, settling
from admin.campaigns.tables import campaigns
from admin.live import counting
from admin.privacy.erasing import erase
from gateway import keys
from gateway.orders import releases
from gateway.orders.database import writing
from gateway.orders.message import Entry, Ticket, tickets_of
from gateway.orders.tables import orders
from gateway.settings import Settings
from gateway.tokens import mint
from tests.gateway.orders.shop import Shop as Sales

THREE = 3
BUCKETS = list(keys.bucket_numbers(THREE))
STOCK = 30


@pytest.fixture
def settings(migrated_url: str, redis_server: Any) -> Settings:
    return replace(settings_for(migrated_url, redis_server.url), buckets=THREE)


@pytest.fixture
def sales(shop: Shop) -> Sales:
    return Sales(shop.resources.settings, shop.resources.engine)


@pytest.fixture
def campaign(shop: Shop) -> Any:
    return shop.campaign(items=[{"sku": shop.product(stock=100), "stock": STOCK}])


@pytest.fixture
def offer(campaign: Any) -> str:
    return str(campaign.items[0].offer)


def names(bucket: int, count: int) -> list[str]:
    """So many shoppers who buy in a bucket."""
    every = (f"shopper {number}" for number in range(1000))
    return [name for name in every if keys.home_bucket(name.encode(), THREE) == bucket][:count]


def win(sales: Sales, offer: str, bucket: int, count: int) -> dict[str, Ticket]:
    won = sales.click(offer, names(bucket, count), buckets=THREE)
    assert len(won) == count
    shard = keys.shard_of(offer, bucket)
    entries = sales.redis.xrevrange(keys.stream(shard), count=1)
    assert not any(each.letters for each in sales.ledger().write(shard, [Entry.parse(*entries[0])]))
    return won


def bucket_stock(shop: Shop, offer: str) -> list[int]:
    return [int(shop.resources.redis.hget(keys.offer(offer, bucket), "stock") or -1) for bucket in BUCKETS]


def test_an_offer_is_published_in_as_many_buckets_as_the_shop_has_set(shop: Shop, offer: str) -> None:
    assert shop.row(offer).buckets == THREE
    assert bucket_stock(shop, offer) == [10, 10, 10]
    found = shop.offer(offer)
    assert (found.stock, found.left, found.buckets) == (STOCK, STOCK, THREE)


def test_figures_are_those_of_all_buckets(api: Api, shop: Shop, sales: Sales, campaign: Any, offer: str) -> None:
    for bucket, count in zip(BUCKETS, (3, 2, 1), strict=True):
        win(sales, offer, bucket, count)
        shop.resources.redis.hincrby(keys.clicks(offer, bucket), "won", count)
    [line] = api.get(f"/campaigns/{campaign.code}/report")["offers"]
    assert (line["stock"], line["left"], line["clicks"]["won"]) == (STOCK, STOCK - 6, 6)
    counts, _ = counting.count(shop.resources.redis, [offer], 0.0)
    assert (counts.offers[offer].left, counts.clicks[offer]) == (STOCK - 6, {"won": 6})


def test_stock_is_raised_and_cut_over_all_buckets(
    api: Api, shop: Shop, sales: Sales, campaign: Any, offer: str
) -> None:
    path = f"/campaigns/{campaign.code}/items/{campaign.items[0].sku}/stock"
    api.post(path, {"delta": 4, "operation_id": shop.unique("op")})
    assert bucket_stock(shop, offer) == [12, 11, 11]
    win(sales, offer, BUCKETS[0], 12)
    api.post(path, {"delta": -20, "operation_id": shop.unique("op")})
    assert sum(bucket_stock(shop, offer)) == shop.row(offer).stock == 14
    refused = api.post(path, {"delta": -3, "operation_id": shop.unique("op")}, 409)
    assert (refused["lowest"], sum(bucket_stock(shop, offer))) == (12, 14)
    # What comes after a cut gets new numbers, which the ledger knows of.
    api.post(path, {"delta": 5, "operation_id": shop.unique("op")})
    assert (shop.row(offer).unit_cap, shop.offer(offer).unit_cap) == (STOCK + 9, STOCK + 9)


def test_what_is_left_in_every_bucket_goes_back_to_the_product(
    shop: Shop, sales: Sales, campaign: Any, offer: str
) -> None:
    win(sales, offer, BUCKETS[2], 4)
    service.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
    with writing(shop.resources.engine) as connection:
        connection.execute(
            update(campaigns)
            .where(campaigns.c.code == campaign.code)
            .values(terminated_at_ms=shop.now_ms() - 60_000)
        )
    [due] = [each for each in settling.due(shop.resources, 1000) if each.id == offer]
    shop.resources.redis.hset(keys.offer(offer, BUCKETS[1]), "run_id", "an-earlier-run")
    settling.settle(shop.resources, due)
    assert shop.free(campaign.items[0].sku) == 70
    shop.resources.redis.hset(
        keys.offer(offer, BUCKETS[1]),
        "run_id",
        shop.resources.redis.info("server")["run_id"],  # type: ignore[index]
    )
    settling.settle(shop.resources, due)
    assert shop.free(campaign.items[0].sku) == 70 + STOCK - 4


def test_an_order_of_any_bucket_is_cancelled_and_its_unit_sold_again(
    api: Api, shop: Shop, sales: Sales, offer: str
) -> None:
    [(name, ticket)] = win(sales, offer, BUCKETS[1], 1).items()
    Shopper(api, name).post(f"/{ticket.order_no}/cancel")
    releases.apply_waiting(shop.resources.engine, shop.resources.redis, lease_ms=1)
    assert shop.offer(offer).left == STOCK
    assert sales.click(offer, [name], buckets=THREE)[name].units == ticket.units


def test_a_lost_win_gets_another_unit_when_its_own_lies_in_another_bucket(
    api: Api, shop: Shop, sales: Sales, offer: str
) -> None:
    home = next(bucket for bucket in BUCKETS if keys.home_bucket(BOB.encode(), THREE) == bucket)
    elsewhere = next(bucket for bucket in BUCKETS if bucket != home)
    unit = int(shop.resources.redis.hget(keys.offer(offer, elsewhere), "next_unit") or 0)
    now = shop.now_ms()
    lost = Ticket(shop.unique("lost"), (unit,), (1,), 9900, now + 900_000, now, "")
    token = mint(TOKEN_SECRET.encode(), BOB, ttl_s=3600)
    reply = api.post("/api/receipts/redeem", {"receipt": receipt_of(shop, offer, BOB, lost)}, key=token)
    assert reply["units"] != [unit]
    assert shop.offer(offer).left == STOCK - 1
    [there] = tickets_of(shop.resources.redis.hget(keys.buyers(offer, 1, home), BOB))
    assert list(there.units) == reply["units"]


def test_an_erased_shopper_is_renamed_where_they_bought(
    shop: Shop, sales: Sales, campaign: Any, offer: str
) -> None:
    [(name, ticket)] = win(sales, offer, BUCKETS[2], 1).items()
    with writing(shop.resources.engine) as connection:
        connection.execute(update(orders).where(orders.c.order_no == ticket.order_no).values(status="completed"))
    service.terminate(shop.resources, campaign.code, {}, actor=ACTOR)
    assert erase(shop.resources.engine, shop.resources.redis, name).buyer_records == 1
    buyers: Any = shop.resources.redis.hgetall(keys.buyers(offer, 1, BUCKETS[2]))
    [(pseudonym, record)] = buyers.items()
    assert pseudonym.decode() != name
    assert tickets_of(record) == [ticket]

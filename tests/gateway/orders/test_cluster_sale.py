"""Given a Redis Cluster, a sale ends with an order for every win, while slots move and primaries are lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway import keys, offers
from gateway.orders.database import open_engine
from gateway.orders.reconcile import looking
from gateway.orders.tables import metadata
from gateway.settings import Settings
from tests.cluster import Cluster, begin_move, clustered, move, move_keys
from tests.conftest import wait_until
from tests.gateway.conftest import StartGateway, start_gateway  # noqa: F401 - a fixture
from tests.gateway.orders.shop import Shop
from tests.gateway.orders.test_failover import Crowd


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def shop_on(cluster: Cluster, engine: Engine) -> Shop:
    return Shop(Settings(redis_url=cluster.url, database_url=str(engine.url)), engine)


def hold_against_each_other(shop: Shop, crowd: Crowd, *, stock: int) -> None:
    """Every win that was told has its order, no unit has two, and nothing disagrees."""
    wait_until(shop.settled, within_s=20, what="everything settled")
    told, orders = crowd.told("won", "already_won"), shop.orders()
    assert {shopper: orders[number][1] for shopper, number in told.items()} == {name: name for name in told}
    units = [unit for _, _, held in orders.values() for unit in held]
    assert len(units) == len(set(units))
    assert set(units) <= set(range(1, stock + 1))
    stores = looking.Stores(shop.settings, shop.redis, shop.engine, shop.ledger())
    assert looking.broken(stores, crowd.offer) == []


def sells_again(crowd: Crowd, *, more: int = 50, within_s: float = 20) -> None:
    before = len(crowd.told("won"))
    wait_until(lambda: len(crowd.told("won")) > before + more, within_s=within_s, what="further sales")


@pytest.mark.parametrize("buckets", [pytest.param(1, marks=pytest.mark.soak), 3])
def test_a_slot_that_moves_in_mid_sale_loses_no_win(
    start_gateway: StartGateway,  # noqa: F811
    cluster: Cluster,
    engine: Engine,
    offer_id: str,
    buckets: int,
) -> None:
    shop = shop_on(cluster, engine)
    shop.publish(offer_id, stock=400, buckets=buckets)
    one = start_gateway(cluster.url, workers=2)
    crowd = Crowd(one, offer_id)
    shard = keys.shard_of(offer_id)
    with shop.writer():
        with crowd.clicking():
            sells_again(crowd)
            source = cluster.owner(shard)
            target = next(each for each in cluster.primaries if each is not source)
            move(shard, source, target)
            sells_again(crowd)
            wait_until(lambda: "sold_out" in crowd.outcomes(), within_s=20, what="the end of the sale")
        hold_against_each_other(shop, crowd, stock=400)
        # Nothing is stranded in a bucket.
        found = offers.read(shop.redis, offer_id)
        assert found is not None
        assert (found.left, found.held) == (0, 400)
        # Other tests find the cluster as it was.
        move(shard, target, source)
    shop.close()


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("buckets", [1, 3])
def test_primaries_that_are_lost_one_after_the_other_lose_no_win(
    start_gateway: StartGateway,  # noqa: F811
    tmp_path: Path,
    engine: Engine,
    offer_id: str,
    buckets: int,
) -> None:
    with clustered(tmp_path, replicas=1, min_replicas_to_write=1, min_replicas_max_lag=2) as own:
        shop = shop_on(own, engine)
        shop.publish(offer_id, stock=1_000_000, buckets=buckets)
        one = start_gateway(own.url, workers=2)
        crowd = Crowd(one, offer_id)
        shard = keys.shard_of(offer_id)
        with shop.writer():
            for _ in range(2):
                with crowd.clicking():
                    sells_again(crowd)
                    old = own.owner(shard)
                    old.kill()
                    assert own.owner(shard) is not old
                    # A replica is missing now, so it does not sell until the old primary follows.
                    old.start()
                    wait_until(lambda lost=old: lost.replication()["role"] == "slave", within_s=20)
                    sells_again(crowd, within_s=60)
            hold_against_each_other(shop, crowd, stock=1_000_000)
        shop.close()


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_wins_are_confirmed_while_the_shard_that_has_the_mark_moves(
    start_gateway: StartGateway,  # noqa: F811
    tmp_path: Path,
    engine: Engine,
    offer_id: str,
) -> None:
    with clustered(tmp_path, replicas=1, min_replicas_to_write=1) as own:
        shop = shop_on(own, engine)
        # Given the first of a primary's shards, half-way to another primary, and an offer on its second one,
        name = next(found for number in range(100) if keys.shard_of(found := f"{offer_id}-{number}") == 1)
        shop.publish(name, stock=100)
        one = start_gateway(own.url)
        assert one.outcome(name, "zoe") == "won"
        source, target = own.owner(0), own.owner(11)
        begin_move(0, source, target)
        while move_keys(0, source, target):
            pass
        # then whoever wins is told so: another shard has the mark now.
        assert [one.outcome(name, f"s{number}") for number in range(5)] == ["won"] * 5
        shop.close()

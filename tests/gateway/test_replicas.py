"""Given a Redis with replicas, a win is told when they have it, and nothing is sold that nobody can be told."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from gateway import buckets, keys
from gateway.admission.replication import Replication
from gateway.wire import Wire
from tests.conftest import wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.failover import Deployment, deployed
from tests.gateway.serving import Gateway
from tests.gateway.test_buckets import at_home
from tests.gateway.test_faults import reasons
from tests.gateway.waiting import until
from tests.lua.calling import Sale
from tests.lua.divided import Divided


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Deployment]:
    """A primary with two replicas and no sentinels."""
    with deployed(tmp_path, sentinels=0, min_replicas=0) as one:
        yield one


@pytest.fixture
def client(plain: Deployment) -> Iterator[Redis]:
    with plain.servers[0].client as client:
        yield client


def test_won_is_told_when_every_replica_has_it(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    Sale.open(client, offer_id, stock=5)
    one = start_gateway(plain.servers[0].url)
    assert one.outcome(offer_id, "zoe") == "won"
    for replica in plain.servers[1:]:
        with replica.client as behind:
            assert behind.hexists(keys.buyers(offer_id, 1), "zoe")
    # Given one replica that has stopped, and a click on what is left,
    with plain.servers[2].frozen():
        reply = one.click(offer_id)
        # then the win is not told, neither now nor to somebody who asks later,
        assert (reply.status_code, set(reply.json())) == (504, {"outcome", "settled_at"})
        mine = one.get(f"/seckill/{offer_id}/mine", "amy")
        assert mine.status_code == 503
        # (A gateway that has noticed already does not even ask.)
        assert one.outcome(offer_id, "zoe") in {"unknown", "unavailable"}
        # while a refusal needs no replica.
        assert one.outcome(offer_id, "bob", quantity=2) == "limit_reached"
    # When the replica has caught up, then it is told.
    wait_until(lambda: one.outcome(offer_id) == "already_won")
    assert one.get(f"/seckill/{offer_id}/mine", "amy").json()["outcome"] == "won"
    assert one.outcome(offer_id, "eve") == "won"
    # What was counted is what was told.
    wait_until(lambda: one.metrics().get('seckill_clicks_total{outcome="won"}') == 2)


def test_units_reach_another_bucket_only_when_every_replica_knows_that_they_left(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    divided = Divided(client, offer_id, stock=3)
    one = start_gateway(plain.servers[0].url)
    first, second = itertools.islice(at_home(4), 2)
    assert one.outcome(offer_id, first) == "won"
    with plain.servers[2].frozen():
        assert one.outcome(offer_id, second) in {"busy", "unavailable"}
        assert [transfer.dest for transfer in buckets.on_the_way(divided.read())] == [4]
    wait_until(lambda: one.outcome(offer_id, second) == "won")
    divided.check()


def test_relaxed_does_not_wait(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    Sale.open(client, offer_id, stock=5)
    one = start_gateway(plain.servers[0].url, durability="relaxed")
    with plain.servers[1].frozen(), plain.servers[2].frozen():
        assert one.outcome(offer_id) == "won"


def test_a_crowd_is_told_as_one(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    # Given many clicks at once, one mark serves many of them.
    Sale.open(client, offer_id, stock=300)
    one = start_gateway(plain.servers[0].url)
    assert crowd(one, offer_id, 300) == ["won"] * 300
    assert 0 < int(client.get(keys.marks(0)) or 0) < 250  # type: ignore[arg-type]


def crowd(one: Gateway, offer: str, shoppers: int) -> list[str]:
    """Clicks of so many shoppers, some of them at once."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda number: one.outcome(offer, f"s{number}"), range(shoppers)))


def test_a_replica_that_goes_for_good_is_not_waited_for_unless_redis_asks_for_it(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    Sale.open(client, offer_id, stock=50)
    one = start_gateway(plain.servers[0].url)
    plain.servers[2].kill()
    wait_until(lambda: one.outcome(offer_id, "amy") in {"won", "already_won"})
    # Given a Redis that is told to have two replicas, it does not sell with one.
    client.config_set("min-replicas-to-write", 2)
    wait_until(lambda: one.outcome(offer_id, "bob") == "unavailable")
    left = Sale(client, offer_id).number("left")
    said = "min-replicas-to-write asks Redis for 2 replicas, and 1 are connected"
    wait_until(lambda: said in reasons(one))
    assert one.outcome(offer_id, "eve") == "unavailable"
    assert Sale(client, offer_id).number("left") == left
    plain.servers[2].start()
    wait_until(lambda: one.outcome(offer_id, "bob") in {"won", "already_won"})
    assert one.status("/readyz") == 200


def test_with_no_replica_left_nothing_is_sold(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    # Given replicas that sleep while their connections are cut: the primary knows that it is alone.
    client.config_set("min-replicas-to-write", 1)
    sale = Sale.open(client, offer_id, stock=5)
    one = start_gateway(plain.servers[0].url)
    assert one.outcome(offer_id) == "won"
    with plain.servers[1].frozen(), plain.servers[2].frozen():
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        assert one.outcome(offer_id, "bob") == "unavailable"
        wait_until(lambda: one.status("/readyz") == 503)
        assert one.outcome(offer_id, "bob") == "unavailable"
        assert sale.number("left") == 4
    wait_until(lambda: one.outcome(offer_id, "bob") == "won")


def test_a_replica_is_not_sold_on(start_gateway: StartGateway, plain: Deployment) -> None:
    one = start_gateway(plain.servers[1].url, ready=False)
    wait_until(lambda: one.status("/healthz") == 200, within_s=20)
    wait_until(lambda: "this Redis is a replica" in " ".join(reasons(one)))


def test_a_primary_that_becomes_a_replica_is_left(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    Sale.open(client, offer_id, stock=5)
    one = start_gateway(plain.servers[0].url)
    assert one.outcome(offer_id) == "won"
    client.replicaof("127.0.0.1", plain.servers[1].port)
    assert one.outcome(offer_id, "bob") == "unavailable"
    wait_until(lambda: "this Redis is a replica" in " ".join(reasons(one)))


def test_a_mark_proves_nothing_on_a_younger_connection_or_another_server(plain: Deployment) -> None:
    async def work() -> None:
        wire = Wire(plain.servers[0].url)
        await wire.start()
        await until(lambda: wire.ready)
        wire.run_id = "this"
        alarms: list[int] = []
        replication = Replication(wire, lambda: alarms.append(1))
        replication.replicas = 2
        heard: list[bool] = []
        now_s = time.monotonic()
        cases = [
            ("this", now_s, now_s + 5),
            ("this", wire.opened_s - 0.001, now_s + 5),
            ("other", now_s, now_s + 5),
        ]
        for case in [*cases, ("this", now_s, now_s - 1)]:
            replication.confirm(*case, heard.append)
            await until(lambda: not replication._asking)
        assert heard == [True, False, False, False]
        assert len(alarms) == 3
        # More replicas than there are never have it, and nobody waits for ever.
        replication.replicas = 3
        replication.confirm("this", now_s, time.monotonic() + 0.2, heard.append)
        await until(lambda: len(heard) == 5)
        assert not heard[-1]
        await wire.stop()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_mark_that_redis_refuses_proves_nothing(
    start_gateway: StartGateway, plain: Deployment, client: Redis, offer_id: str
) -> None:
    # Given a replica that keeps up, and a Redis so full that it takes no mark,
    Sale.open(client, offer_id, stock=5)
    one = start_gateway(plain.servers[0].url)
    assert one.outcome(offer_id) == "won"
    client.config_set("maxmemory", 1)
    # then a ticket is not told on the strength of an earlier mark.
    assert one.outcome(offer_id) == "unknown"
    client.config_set("maxmemory", 0)
    assert one.outcome(offer_id) == "already_won"

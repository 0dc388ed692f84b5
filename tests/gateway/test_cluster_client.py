"""Given a Redis Cluster, the blocking client sends everything where its keys are, and sends nothing twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from gateway import cluster as layouts
from gateway import keys, scripts, store
from gateway.errors import SettingsError
from gateway.redis_url import cluster_place
from tests.cluster import Cluster, begin_move, end_move, move_keys, node_id, nodes
from tests.conftest import free_port

_names = itertools.count(1)


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Redis]:
    with store.connect(cluster.url) as client:
        yield client


@pytest.fixture
def names() -> list[str]:
    """An unused key on each shard."""
    test = next(_names)
    return [keys.marks(shard) + f":{test}" for shard in keys.shards()]


def test_commands_and_pipelines_of_all_shards(client: Redis, names: list[str]) -> None:
    for number, name in enumerate(names):
        client.hset(name, "number", number)
    pipeline = client.pipeline(transaction=False)
    pipeline.script_load(scripts.load("close").source)
    for name in reversed(names):
        pipeline.hget(name, "number")
    _, *found = pipeline.execute()
    assert found == [str(number).encode() for number in reversed(range(12))]
    assert client.pipeline(transaction=False).execute() == []
    together = client.pipeline(transaction=True)
    together.hset(names[0], "b", 1)
    together.hgetall(names[0])
    assert together.execute()[1] == {b"number": b"0", b"b": b"1"}
    divided = client.pipeline(transaction=True)
    for name in names:
        divided.hget(name, "number")
    with pytest.raises(ResponseError, match="CROSSSLOT"):
        divided.execute()
    assert client.ping()
    assert client.xadd(keys.reminders(), {"a": 1})


def test_an_error_in_a_pipeline_is_raised_and_spoils_nothing_else(client: Redis, names: list[str]) -> None:
    client.set(names[3], "text")
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.hset(name, "a", 1)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        pipeline.execute()
    assert [client.exists(name) for name in names] == [1] * 12


def test_streams_of_all_shards_are_read_together(client: Redis, names: list[str]) -> None:
    for name in names:
        client.xgroup_create(name, "group", id="0", mkstream=True)
    wanted = dict.fromkeys(names, ">")
    assert client.xreadgroup("group", "me", wanted, block=20) == []
    for name in names[::5]:
        client.xadd(name, {"a": 1})
    found = client.xreadgroup("group", "me", wanted, count=5, block=1000)
    assert sorted(name.decode() for name, _ in found) == sorted(names[::5])


def test_a_slot_is_followed_while_it_moves_and_after(cluster: Cluster, client: Redis, names: list[str]) -> None:
    shard = 7
    name, absent = names[shard], names[shard] + ":absent"
    client.hset(name, "a", 1)
    source = cluster.owner(shard)
    target = next(each for each in cluster.primaries if each is not source)
    begin_move(shard, source, target)
    # What is not here any more, or not yet, is asked for there.
    while move_keys(shard, source, target):
        pass
    assert client.hget(name, "a") == b"1"
    assert client.hset(absent, "b", 2) == 1
    pipeline = client.pipeline(transaction=False)
    for each in (name, names[0], absent):
        pipeline.exists(each)
    assert pipeline.execute() == [1, 0, 1]
    end_move(shard, source, target)
    assert client.hgetall(absent) == {b"b": b"2"}
    with target.client as there:
        run_id = there.info("server")["run_id"]  # type: ignore[index]
    assert store.server_of(client, shard).info("server")["run_id"] == run_id  # type: ignore[index]
    assert len(store.servers(client)) == 3


def test_a_cluster_that_is_not_there_is_named_when_it_is_used() -> None:
    nowhere = store.connect(f"redis+cluster://127.0.0.1:{free_port()}")
    with nowhere as client, pytest.raises(RedisConnectionError, match="no server of the cluster answers"):
        client.hget(keys.offer("x"), "a")


# What the servers say.


def test_the_newest_claim_to_a_slot_counts(cluster: Cluster) -> None:
    views = [(("127.0.0.1", each.port), "\n".join(nodes(each))) for each in cluster.primaries]
    layout = layouts.Layout(views)
    assert len(layout.servers) == 3
    assert sorted(shard for each in layout.primaries() for shard in each.shards) == list(keys.shards())
    # Given a server that has heard nothing for a while, and one that has taken a shard since,
    taker = node_id(cluster.primaries[2])
    port = cluster.primaries[2].port
    slot = layouts.slot_of(keys.marks(0))
    newer = f"{taker} 127.0.0.1:{port}@1 myself,master - 0 0 99 connected {slot}"
    # then what it says counts, in whatever order they are asked.
    for said in ([*views, (("127.0.0.1", port), newer)], [(("127.0.0.1", port), newer), *views]):
        assert layouts.Layout(said).owner(slot) == ("127.0.0.1", port)


def test_names_replicas_and_own_addresses_are_read() -> None:
    text = "\n".join(
        [
            "a1 :7000@17000 myself,master - 0 0 1 connected 0-8191 [575->-b2]",
            "b2 10.0.0.2:7001@17001,two.example master - 0 0 2 connected 8192-16383",
            "c3 10.0.0.3:7002@17002 slave a1 0 0 1 connected",
            "d4 10.0.0.4:7003@17003 slave,nofailover a1 0 0 1 connected",
            "e5 10.0.0.5:7004@17004 slave,fail b2 0 0 2 disconnected",
            "f6 10.0.0.6:7005@17005 handshake - 0 0 0 disconnected",
        ]
    )
    first, second = layouts.Layout([(("seed", 7000), text)]).primaries()
    assert (first.address, first.shards, first.promotable) == (("seed", 7000), (0, 1, 2, 3, 4, 5), 1)
    assert (second.address, second.shards, second.promotable) == (("two.example", 7001), (6, 7, 8, 9, 10, 11), 0)


def test_urls_of_clusters() -> None:
    place = cluster_place("rediss+cluster://me:p%40ss@a.example:1,[::1]:2,c.example?ssl_cert_reqs=none")
    assert place is not None
    assert place.seeds == (("a.example", 1), ("::1", 2), ("c.example", 6379))
    assert (place.username, place.password) == ("me", "p@ss")
    assert "p@ss" not in repr(place) + str(place)
    assert place.url_of(("::1", 2)) == "rediss://me:p%40ss@[::1]:2/0?ssl_cert_reqs=none"
    assert cluster_place("redis://a:1/0") is None


@pytest.mark.parametrize("rest", ["", "a:port", "a:1/3", "a:1,", "a:1?socket_timeout=x"])
def test_urls_of_clusters_that_are_wrong(rest: str) -> None:
    with pytest.raises(SettingsError, match="host:port"):
        cluster_place(f"redis+cluster://{rest}")

"""Given sentinels, everybody finds the primary, whatever single ones of them say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway import store
from gateway.errors import NotSent, SettingsError
from gateway.redis_url import SentinelPlace, sentinel_place
from gateway.sentinels import survey
from gateway.wire import Wire
from tests.conftest import RedisServer, free_port, wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.failover import Deployment, deployed
from tests.gateway.test_faults import reasons
from tests.gateway.waiting import until
from tests.lua.calling import Sale

# The URL.


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis+sentinel://a:1/shop", SentinelPlace((("a", 1),), "shop")),
        ("redis+sentinel://a,b:2,[::1]:3/shop/4", SentinelPlace((("a", 26379), ("b", 2), ("::1", 3)), "shop", 4)),
        (
            "redis+sentinel://us%40er:p%2Fw@a:1/shop/0?sentinel_username=s&sentinel_password=p%26w",
            SentinelPlace((("a", 1),), "shop", 0, "us@er", "p/w", "s", "p&w"),
        ),
        ("redis+sentinel://:pw@a:1/shop", SentinelPlace((("a", 1),), "shop", 0, None, "pw")),
        ("redis://a:1/0", None),
    ],
)
def test_a_url(url: str, place: SentinelPlace | None) -> None:
    assert sentinel_place(url) == place


@pytest.mark.parametrize(
    "rest", ["", "a:1", "a:1/", "/shop", "a:x/shop", "a:1,/shop", "a:1/shop/x", "a:1/shop/-1", "a:1/shop?db=1"]
)
def test_a_url_that_lacks_something(rest: str) -> None:
    for connect in (Wire, store.connect):
        with pytest.raises(SettingsError, match="SECKILL_REDIS_URL must have the form"):
            connect(f"redis+sentinel://{rest}")


def test_passwords_are_not_shown() -> None:
    assert "pw" not in repr(sentinel_place("redis+sentinel://:pw1@a:1/shop?sentinel_password=pw2"))


# What sentinels say.


class SentinelStub:
    """Says what it is told to; `silent` ones accept and never answer."""

    def __init__(self, primary: int, *, config_epoch: int = 1, promotable: int = 1, silent: bool = False) -> None:
        replica = [b"slave-priority", b"100", b"flags", b"slave"]
        down = [b"slave-priority", b"100", b"flags", b"slave,s_down,disconnected"]
        never = [b"slave-priority", b"0", b"flags", b"slave"]
        self._answers = {
            b"GET-MASTER-ADDR-BY-NAME": [b"127.0.0.1", b"%d" % primary],
            b"MASTER": [b"name", b"shop", b"config-epoch", b"%d" % config_epoch],
            b"REPLICAS": [*[replica] * promotable, down, never],
        }
        self._silent = silent
        self.writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while line := await reader.readuntil(b"\r\n"):
                if not self._silent and line.strip() in self._answers:
                    writer.write(_encode(self._answers[line.strip()]))


def _encode(reply: Any) -> bytes:
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(_encode, reply))
    return b"$%d\r\n%b\r\n" % (len(reply), reply)


@contextlib.asynccontextmanager
async def sentinels(*stubs: SentinelStub) -> Any:
    """Their URL."""
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for stub in stubs:
            ports.append(free_port())
            await stack.enter_async_context(await asyncio.start_server(stub, "127.0.0.1", ports[-1]))
        yield f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/shop"
        for writer in [writer for stub in stubs for writer in stub.writers]:
            writer.transport.abort()
        await asyncio.sleep(0)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def place_of(url: str) -> SentinelPlace:
    place = sentinel_place(url)
    assert place is not None
    return place


def test_the_newest_configuration_counts_and_the_most_careful_view() -> None:
    async def work() -> None:
        stubs = [
            SentinelStub(1, config_epoch=4, promotable=3),
            SentinelStub(2, config_epoch=5, promotable=1),
            SentinelStub(2, config_epoch=5, promotable=2),
        ]
        async with sentinels(*stubs) as url:
            found = await survey(place_of(url))
            assert (found.primary, found.promotable) == (("127.0.0.1", 2), 2)

    run(work())


def test_silent_and_missing_sentinels_are_not_waited_for_long() -> None:
    async def work() -> None:
        async with sentinels(SentinelStub(1, silent=True), SentinelStub(2)) as url:
            async with asyncio.timeout(1):
                assert (await survey(place_of(url))).primary[1] == 2
        async with sentinels(SentinelStub(1, silent=True)) as url:
            with pytest.raises(NotSent, match="no sentinel answers"):
                await survey(place_of(url.replace("://", f"://127.0.0.1:{free_port()},")))

    run(work())


def test_a_server_that_is_a_replica_is_not_taken_for_the_primary(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", free_port())

    async def work() -> None:
        async with sentinels(SentinelStub(own_redis.port)) as url:
            wire = Wire(url)
            await wire.start()
            await until(lambda: "is a replica now" in wire.problem)
            assert not wire.ready
            with own_redis.client() as client:
                client.replicaof("NO", "ONE")
            await until(lambda: wire.ready)
            await wire.stop()

    run(work())


# Real ones.


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Deployment]:
    """One replica, one sentinel that wants a password; the primary may be left alone."""
    with deployed(tmp_path, replicas=1, sentinels=1, min_replicas=0, password="s3cret") as one:
        yield one


def test_redis_has_to_ask_for_its_replicas(start_gateway: StartGateway, small: Deployment, offer_id: str) -> None:
    with small.servers[0].client as client:
        Sale.open(client, offer_id, stock=5)
        one = start_gateway(small.url, ready=False)
        wait_until(lambda: one.status("/healthz") == 200, within_s=20)
        wait_until(lambda: "set min-replicas-to-write on every Redis server to 1" in " ".join(reasons(one)))
        assert one.outcome(offer_id) == "unavailable"
        client.config_set("min-replicas-to-write", 1)
        wait_until(lambda: one.status("/readyz") == 200)
        assert one.outcome(offer_id) == "won"


def test_a_blocking_client_signs_in_and_refuses_a_replica(small: Deployment) -> None:
    with store.connect(small.url) as client:
        assert client.role()[0] == b"master"
        # Given a primary that was made a replica behind the sentinel's back,
        with small.servers[0].client as there:
            there.replicaof("127.0.0.1", small.servers[1].port)
            there.client_kill_filter(_type="normal", skipme=True)
        # when the client is used, then it does not take what it is led to for the primary.
        with pytest.raises(RedisConnectionError, match=r"is a replica|No master found"):
            wait_until(lambda: client.role()[0] != b"master" and client.role())
    with pytest.raises(RedisConnectionError), store.connect(small.url.replace("s3cret", "wrong")) as stranger:
        stranger.ping()
    with pytest.raises(RedisConnectionError), store.connect(small.url.replace("seckill/0", "other/0")) as stranger:
        stranger.ping()


def test_a_sentinel_that_wants_another_password_is_named(small: Deployment) -> None:
    async def work() -> None:
        wire = Wire(small.url.replace("s3cret", "wrong"))
        await wire.start()
        await until(lambda: "refuses: NOAUTH" in wire.problem)
        await wire.stop()
        other = Wire(small.url.replace("seckill/0", "other/0"))
        await other.start()
        await until(lambda: "no sentinel knows a service named other" in other.problem)
        await other.stop()

    run(work())

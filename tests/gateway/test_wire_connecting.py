"""Given a connection that ends as soon as it is made, the wire says why and makes another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from gateway.wire import Wire
from tests.conftest import RedisServer
from tests.gateway.waiting import until
from tests.gateway.wired import connected, run


def after_connecting(then: Callable[[Any, Any], Awaitable[None]]) -> None:
    """From now on whoever connects on the running loop gets the connection only when `then` has ended."""
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def held(*given: Any, **options: Any) -> Any:
        transport, protocol = await connect(*given, **options)
        await then(transport, protocol)
        return transport, protocol

    loop.create_connection = held  # type: ignore[method-assign]


def test_a_connection_lost_in_the_moment_it_is_made_is_made_anew(redis_server: RedisServer) -> None:
    async def work() -> None:
        # Given a server whose first connections are gone before anything was written on them,
        made = []

        async def lost_at_first(transport: Any, protocol: Any) -> None:
            made.append(protocol)
            if len(made) <= 2:
                transport.abort()
                await until(lambda: protocol.transport is None)

        after_connecting(lost_at_first)
        async with connected(redis_server.url):
            assert len(made) == 3

    uvloop.run(asyncio.wait_for(work(), 20))


def test_a_redis_that_hangs_up_unasked_is_quoted(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        with own_redis.client() as operator:
            # Given a Redis that has room for its operator alone, and says so before anything is written to it,
            operator.config_set("maxclients", 1)

            async def heard(_: Any, protocol: Any) -> None:
                if operator.config_get("maxclients")["maxclients"] == "1":
                    await until(lambda: protocol.transport is None)

            after_connecting(heard)
            wire = Wire(own_redis.url)
            await wire.start()
            # what it said is the problem, in one line.
            await until(lambda: "max number of clients" in wire.problem)
            operator.config_set("maxclients", 100)
            await until(lambda: wire.ready)
            await wire.stop()

    run(work())
    assert "max number of clients" in caplog.text
    assert "Traceback" not in caplog.text

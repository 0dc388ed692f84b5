"""The gateway as a plain ASGI app, without granian: the same answers, for servers that know no RSGI."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from redis import Redis

from gateway.settings import Settings
from gateway.tokens import mint
from gateway.web.app import create_app
from tests.lua.calling import Sale

SECRET = b"a secret of at least thirty-two bytes"


@pytest.fixture
def settings(redis: Redis) -> Settings:
    options = redis.connection_pool.connection_kwargs
    return Settings.from_env(
        {
            "SECKILL_REDIS_URL": f"redis://{options['host']}:{options['port']}/0",
            "SECKILL_TOKEN_SECRET": SECRET.decode(),
            "SECKILL_ADMIN_KEY": "k" * 32,
            "SECKILL_CORS_ORIGINS": "https://shop.example",
        }
    )


def test_clicks_and_pages_over_asgi(settings: Settings, redis: Redis, offer_id: str) -> None:
    # Given the app and a sale of one unit, when it is used through ASGI alone,
    sale = Sale.open(redis, offer_id, stock=1)
    app = create_app(settings)

    async def use() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app.asgi)
        async with _lifespan(app.asgi), httpx.AsyncClient(transport=transport, base_url="http://shop") as client:

            async def click(shopper: str, **more: Any) -> httpx.Response:
                headers = {"authorization": f"Bearer {mint(SECRET, shopper, ttl_s=60)}"} | more.pop("headers", {})
                return await client.post(f"/seckill/{sale.id}", headers=headers, **more)

            return [
                await click("amy"),
                await click("amy", headers={"origin": "https://shop.example"}),
                await click("bob", json={"quantity": 1}),
                await click("bob", content=b"x" * 2000),
                await click("bob", json={"quantity": True}),
                await client.post(f"/seckill/{sale.id}"),
                await client.get(f"/seckill/{sale.id}"),
                await client.get("/readyz"),
            ]

    replies = asyncio.run(use())

    # then every answer is the one that the table says.
    assert [reply.status_code for reply in replies] == [201, 200, 409, 413, 400, 401, 200, 200]
    assert replies[1].json()["order_no"] == replies[0].json()["order_no"]
    assert replies[1].headers["access-control-allow-origin"] == "https://shop.example"
    assert all(int(reply.headers["content-length"]) == len(reply.content) for reply in replies)


class _lifespan:
    """Starts and stops an ASGI app as a server does."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(
            self._app({"type": "lifespan", "state": {}}, self._to_app.get, self._from_app.put)
        )
        await self._say("startup")

    async def __aexit__(self, *_: object) -> None:
        await self._say("shutdown")
        await self._task

    async def _say(self, what: str) -> None:
        await self._to_app.put({"type": f"lifespan.{what}"})
        assert (await self._from_app.get())["type"] == f"lifespan.{what}.complete"

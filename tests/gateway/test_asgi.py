"""The gateway as a plain ASGI app, without granian: the same answers, for servers that know no RSGI."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from redis import Redis

from gateway.settings import Settings
from gateway.tokens import mint
from tests.gateway.asgi import SECRET, app_of, lifespan, settings_of
from tests.lua.calling import Sale


@pytest.fixture
def settings(redis: Redis) -> Settings:
    return settings_of(redis, cors_origins="https://shop.example")


def test_clicks_and_pages_over_asgi(settings: Settings, redis: Redis, offer_id: str) -> None:
    # Given the app and a sale of one unit, when it is used through ASGI alone,
    sale = Sale.open(redis, offer_id, stock=1)
    app = app_of(settings)

    async def use() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app.asgi)
        async with lifespan(app.asgi), httpx.AsyncClient(transport=transport, base_url="http://shop") as client:

            async def click(shopper: str, **more: Any) -> httpx.Response:
                headers = {"authorization": f"Bearer {mint(SECRET, shopper, ttl_s=60)}"} | more.pop("headers", {})
                return await client.post(f"/seckill/{sale.id}", headers=headers, **more)

            return [
                await click("amy"),
                await click("amy", headers={"origin": "https://shop.example"}),
                await click("bob", json={"quantity": 1}),
                await click("bob", content=b"x" * 2000),
                await click("bob", json={"quantity": True}),
                await click("bob", params={"quantity": 1}),
                await client.post(f"/seckill/{sale.id}"),
                await client.get(f"/seckill/{sale.id}"),
                await client.get("/readyz"),
            ]

    replies = asyncio.run(use())

    # then every answer is the one that the table says.
    assert [reply.status_code for reply in replies] == [201, 200, 409, 413, 400, 400, 401, 200, 200]
    assert replies[1].json()["order_no"] == replies[0].json()["order_no"]
    assert replies[1].headers["access-control-allow-origin"] == "https://shop.example"
    assert all(int(reply.headers["content-length"]) == len(reply.content) for reply in replies)

"""The gateway's app in this process, over plain ASGI."""

from __future__ import annotations

import asyncio
import functools
from typing import Any
from unittest.mock import patch

from redis import Redis

from gateway.settings import Settings
from gateway.telemetry import Metrics
from gateway.web import app
from gateway.web.app import App

SECRET = b"a secret of at least thirty-two bytes"


def settings_of(redis: Redis, **settings: str) -> Settings:
    """Settings of an app on a Redis; the others as `SECKILL_*` without the prefix, in small letters."""
    options = redis.connection_pool.connection_kwargs
    usual = {
        "redis_url": f"redis://{options['host']}:{options['port']}/0",
        "token_secret": SECRET.decode(),
        "admin_key": "k" * 32,
    }
    return Settings.from_env({f"SECKILL_{name.upper()}": value for name, value in (usual | settings).items()})


@functools.cache
def _metrics() -> Metrics:
    return Metrics()


def app_of(settings: Settings) -> App:
    """An app as a worker makes it; there may be several, though a process has its metrics once."""
    with patch.object(app, "Metrics", _metrics):
        return app.create_app(settings)


class lifespan:
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

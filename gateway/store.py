"""Blocking Redis clients for everything that is not a click: sidecar, order writer, commands."""

from __future__ import annotations

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from gateway.errors import SettingsError

SCHEMES = ("redis://", "rediss://", "unix://")


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """A client with time limits; connecting is retried, a sent command is not (it may have run).

    Raises:
        SettingsError: the URL's scheme is not supported.
    """
    if not url.startswith(SCHEMES):
        raise SettingsError(f"SECKILL_REDIS_URL must begin with {', '.join(SCHEMES)}")
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=2.0,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 0),
        retry_on_error=[],
        client_name="seckill",
    )


def answers(client: Redis) -> bool:
    """Whether Redis can be reached at all."""
    try:
        return bool(client.ping())
    except (RedisConnectionError, TimeoutError):
        return False

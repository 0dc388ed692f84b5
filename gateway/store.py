"""Blocking Redis clients for everything that is not a click: sidecar, order writer, commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection

from gateway.cluster_client import ClusterClient
from gateway.redis_url import SentinelPlace, cluster_place, require_known_scheme, sentinel_place

SENTINEL_TIMEOUT_S = 0.5


class _PrimaryConnection(SentinelManagedConnection):
    """A connection to the server that the sentinels name, refused unless it says itself that it is a primary."""

    def on_connect_check_health(self, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health=check_health)
        self.send_command("ROLE")  # type: ignore[no-untyped-call]
        role: Any = self.read_response()
        if role[0] not in {b"master", "master"}:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise RedisConnectionError(f"Redis at {self.host}:{self.port} is a replica now")


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """A client with time limits; connecting is retried, a sent command is not (it may have run).

    With sentinels, every connection begins by asking them where the primary is; one that turns out to lead to a
    replica is given up, and the next command looks for the primary again.

    Raises:
        SettingsError: the URL's scheme is not supported, or its form is wrong.
    """
    require_known_scheme(url)
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": 2.0,
        "health_check_interval": 15,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), 0),
        "retry_on_error": [],
        "client_name": "seckill",
    }
    nodes = cluster_place(url)
    if nodes is not None:
        return ClusterClient(nodes, options)
    place = sentinel_place(url)
    return _connect_to_primary(place, options) if place is not None else Redis.from_url(url, **options)


def servers(client: Redis) -> list[Redis]:
    """A client for each server that has shards: one, or the primaries of a cluster.

    Raises:
        redis.RedisError: the cluster could not be asked.
    """
    return client.servers() if isinstance(client, ClusterClient) else [client]


def servers_of(client: Redis, shards: Iterable[int]) -> dict[int, Redis]:
    """For each shard a client for the server that has it, for what is asked of a server and not of a key.

    Raises:
        redis.RedisError: the cluster could not be asked.
    """
    return client.servers_of(shards) if isinstance(client, ClusterClient) else dict.fromkeys(shards, client)


def server_of(client: Redis, shard: int) -> Redis:
    """`servers_of` for one shard."""
    return servers_of(client, [shard])[shard]


def run_ids(client: Redis, shards: Iterable[int]) -> dict[int, str]:
    """The ids of the Redis processes that have some shards; each server is asked once.

    Raises:
        redis.RedisError: one of them cannot be asked.
    """
    servers = servers_of(client, shards)
    told: dict[Redis, Any] = {server: server.info("server") for server in set(servers.values())}
    return {shard: str(told[server]["run_id"]) for shard, server in servers.items()}


def _connect_to_primary(place: SentinelPlace, options: dict[str, Any]) -> Redis:
    manager = Sentinel(  # type: ignore[no-untyped-call]
        place.sentinels,
        sentinel_kwargs={
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "username": place.sentinel_username,
            "password": place.sentinel_password,
        },
    )
    client: Redis = manager.master_for(  # type: ignore[no-untyped-call]
        place.service,
        connection_class=_PrimaryConnection,
        db=place.db,
        username=place.username,
        password=place.password,
        **options,
    )
    return client

"""Whether a Redis keeps what it says: asked at start, after each reconnect, and again and again while it sells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from gateway.errors import Refused
from gateway.settings import Settings

Command = tuple[bytes | str | int, ...]
Ask = Callable[[list[Command]], Awaitable[list[Any]]]

_ON_DISK = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
_REPLICA = "this Redis is a replica: SECKILL_REDIS_URL must lead to the primary"
_READ = ("maxmemory", "maxmemory-policy", "min-replicas-to-write", *_ON_DISK)


class Durability(NamedTuple):
    """What was found.

    `reasons`: what speaks against selling here, each as a sentence. `replicas`: so many must have a win
    before it is told.
    """

    reasons: list[str]
    replicas: int


async def look(ask: Ask, settings: Settings, promotable: int | None) -> Durability:
    """Read what a Redis is set to and who follows it.

    Args:
        ask: sends commands and returns their replies; raises `Refused` on an error reply.
        settings: `durability` and `durability_unverified` decide what is asked of it.
        promotable: replicas that sentinels could make the primary now; None without sentinels.

    Raises:
        RedisProblem: Redis could not be asked.
    """
    strict = settings.durability == "strict"
    try:
        replies = await ask([("INFO", "replication"), *(("CONFIG", "GET", name) for name in _READ)])
    except Refused as error:
        return await _look_without_config(ask, settings, promotable, error)
    found = {name: reply[1].decode() if reply else "" for name, reply in zip(_READ, replies[1:], strict=True)}
    role, connected = _read_replication(replies[0])
    reasons = []
    if role != "master":
        reasons.append(_REPLICA)
    if int(found["maxmemory"] or 0) and found["maxmemory-policy"] != "noeviction":
        policy = found["maxmemory-policy"]
        reasons.append(f"Redis may evict sales: set maxmemory-policy to noeviction (it is {policy})")
    if not strict:
        return Durability(reasons, 0)
    for name, wanted in _ON_DISK.items():
        if found[name] != wanted:
            reasons.append(
                f"Redis does not keep every win on disk: set {name} to {wanted} (it is {found[name]}),"
                " or accept that with SECKILL_DURABILITY=relaxed"
            )
    least = int(found["min-replicas-to-write"] or 0)
    reasons += _shortfalls(connected, promotable or 0, least)
    return Durability(reasons, max(least, connected, promotable or 0))


def _shortfalls(connected: int, promotable: int, least: int) -> list[str]:
    """What is missing of the replicas that must have every win, before anything is sold."""
    if promotable and not least:
        return [
            "after a failover wins could be missing: set min-replicas-to-write on every Redis server to 1, or to"
            f" {promotable}, the number of replicas, to stop selling as soon as one is missing (it is 0)"
        ]
    if connected < least:
        return [f"min-replicas-to-write asks Redis for {least} replicas, and {connected} are connected"]
    if connected < promotable:
        return [f"the sentinels may promote any of {promotable} replicas, and only {connected} follow the primary"]
    return []


async def _look_without_config(
    ask: Ask, settings: Settings, promotable: int | None, refusal: Refused
) -> Durability:
    """Where `CONFIG` is forbidden: the replicas are counted if Redis shows them, the rest must be accepted."""
    if settings.durability != "strict":
        return Durability([], 0)
    if not settings.durability_unverified:
        reason = (
            f"Redis does not show its disk settings ({refusal}): allow CONFIG GET,"
            " or accept that with SECKILL_DURABILITY_UNVERIFIED=1"
        )
        return Durability([reason], 0)
    try:
        (info,) = await ask([("INFO", "replication")])
    except Refused:
        return Durability([], promotable or 0)
    role, connected = _read_replication(info)
    return Durability([] if role == "master" else [_REPLICA], max(connected, promotable or 0))


def _read_replication(info: bytes) -> tuple[str, int]:
    """The server's role, and how many replicas have caught up and follow it."""
    rows = dict(row.partition(":")[::2] for row in info.decode().splitlines())
    online = sum("state=online" in value.split(",") for name, value in rows.items() if name.startswith("slave"))
    return rows.get("role", "master"), online

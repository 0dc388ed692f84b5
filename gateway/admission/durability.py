"""Whether a Redis keeps what it says: asked at start, after each reconnect, and every few seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.errors import Refused
from gateway.settings import Settings

Ask = Callable[..., Awaitable[Any]]

_ON_DISK = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no"}


async def reasons_not_to_sell(ask: Ask, settings: Settings) -> list[str]:
    """What speaks against selling on this Redis, each as a sentence; empty when nothing does.

    Args:
        ask: sends one command and returns its reply; raises `Refused` on an error reply.
        settings: `durability` and `durability_unverified` decide what is asked of it.
    """
    try:
        memory_max = int(await _read(ask, "maxmemory") or 0)
        policy = await _read(ask, "maxmemory-policy")
        reasons = []
        if memory_max and policy != "noeviction":
            reasons.append(f"Redis may evict sales: set maxmemory-policy to noeviction (it is {policy})")
        if settings.durability == "strict":
            for name, wanted in _ON_DISK.items():
                value = await _read(ask, name)
                if value != wanted:
                    reasons.append(
                        f"Redis does not keep every win on disk: set {name} to {wanted} (it is {value}),"
                        " or accept that with SECKILL_DURABILITY=relaxed"
                    )
    except Refused as error:
        if settings.durability == "strict" and not settings.durability_unverified:
            return [
                f"Redis does not show its disk settings ({error}): allow CONFIG GET,"
                " or accept that with SECKILL_DURABILITY_UNVERIFIED=1"
            ]
        return []
    return reasons


async def _read(ask: Ask, name: str) -> str:
    reply = await ask("CONFIG", "GET", name)
    return reply[1].decode() if reply else ""

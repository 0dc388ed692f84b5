"""What Redis knows of sales: counts of offers and clicks, what waits for the order writer, who is connected."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from admin.live.models import LiveHealth, LiveWriter, Reason
from gateway import keys, store
from gateway.offers import Offer, clicks_of_all, read_all

SILENT_MAX_S = 10
"""A writer or gateway that asked Redis nothing for so long does not do its work."""
LAG_MAX_MS = 5000
"""Winners that wait longer mean that the writer does not keep up."""
WRITER_COMMANDS = frozenset({"xreadgroup", "xautoclaim"})
GATEWAY = "seckill-gateway"


@dataclass(frozen=True, slots=True)
class Counts:
    """One look: offers that Redis has, clicks by offer and outcome, and how all parts are; `at_s` is monotonic."""

    at_s: float
    offers: Mapping[str, Offer]
    clicks: Mapping[str, Mapping[str, int]]
    writer: LiveWriter | None
    health: Sequence[LiveHealth]


def count(client: Redis, offers: Sequence[str], writer_seen_s: float) -> tuple[Counts, float]:
    """Look at some offers; and when a writer was last seen at work, monotonic seconds."""
    at_s = time.monotonic()
    try:
        found = read_all(client, offers)
        clicks = clicks_of_all(client, {offer: found[offer].buckets if offer in found else 1 for offer in offers})
        writer = _writer(client)
        persistence: list[Any] = [server.info("persistence") for server in store.servers(client)]
    except (RedisError, OSError) as error:
        gone = LiveHealth(part="redis", ok=False, reason=_reason(error))
        return Counts(at_s, {}, {}, None, [gone]), writer_seen_s
    health, writer_seen_s = _health(client, writer, persistence, writer_seen_s)
    return Counts(at_s, found, clicks, writer, health), writer_seen_s


def _reason(error: Exception) -> Reason:
    away = isinstance(error, RedisTimeoutError | RedisConnectionError | OSError)
    return "redis_away" if away else "redis_refuses"


def _writer(client: Redis) -> LiveWriter:
    issued = committed = dead = lag_ms = 0
    for shard in keys.shards():
        seconds, micros = client.time()
        counters: Any = client.hmget(keys.counters(shard), "issued", "committed", "dead")
        numbers = [int(each or 0) for each in counters]
        issued, committed, dead = issued + numbers[0], committed + numbers[1], dead + numbers[2]
        oldest = _oldest_ms(client, shard) if numbers[0] > numbers[1] else None
        if oldest is not None:
            lag_ms = max(lag_ms, int(seconds) * 1000 + int(micros) // 1000 - oldest)
    return LiveWriter(backlog=max(issued - committed, 0), lag_ms=max(lag_ms, 0), dead=dead)


def _oldest_ms(client: Redis, shard: int) -> int | None:
    """When the oldest winners that wait were decided."""
    stream = keys.stream(shard)
    try:
        groups: Any = client.xinfo_groups(stream)
        pending: Any = client.xpending(stream, keys.ORDER_GROUP)
    except ResponseError:
        # No writer has ever been here; whatever the stream holds waits.
        first: Any = client.xrange(stream, count=1)
        return _instant(first[0][0]) if first else None
    if pending["min"]:
        return _instant(pending["min"])
    name = keys.ORDER_GROUP.encode()
    given = next((each["last-delivered-id"] for each in groups if each["name"] == name), b"0-0")
    following: Any = client.xrange(stream, min=f"({given.decode()}", count=1)
    return _instant(following[0][0]) if following else None


def _instant(entry: bytes) -> int:
    return int(entry.partition(b"-")[0])


def _health(
    client: Redis, writer: LiveWriter, persistence: Sequence[Mapping[str, Any]], seen_s: float
) -> tuple[list[LiveHealth], float]:
    full = any(each.get("aof_last_write_status", "ok") != "ok" for each in persistence)
    health = [LiveHealth(part="redis", ok=not full, reason="redis_cannot_write" if full else None)]
    try:
        clients: Any = client.client_list()
    except ResponseError:
        unknown = LiveHealth(part="gateways", ok=True, reason="clients_not_told")
        return [*health, _of_writer(writer, 0), unknown], seen_s
    now_s = time.monotonic()
    at_work = [each for each in clients if int(each["idle"]) <= SILENT_MAX_S]
    if any(each["cmd"] in WRITER_COMMANDS for each in at_work):
        seen_s = now_s
    gateways = any(each["name"] == GATEWAY for each in at_work)
    told = LiveHealth(part="gateways", ok=gateways, reason=None if gateways else "no_gateway")
    return [*health, _of_writer(writer, now_s - seen_s), told], seen_s


def _of_writer(writer: LiveWriter, silent_s: float) -> LiveHealth:
    if silent_s > SILENT_MAX_S:
        return LiveHealth(part="writer", ok=False, reason="writer_silent", seconds=int(silent_s))
    if writer.lag_ms > LAG_MAX_MS:
        return LiveHealth(part="writer", ok=False, reason="writer_late", seconds=writer.lag_ms // 1000)
    return LiveHealth(part="writer", ok=True)

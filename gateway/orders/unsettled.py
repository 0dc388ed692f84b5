"""What the streams of winners hold that no writer has settled yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from gateway import keys
from gateway.errors import MessageError
from gateway.orders.message import Entry

PAGE = 200
"""Entries read at once."""


def entries(client: Redis, shard: int) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """Every entry of a shard that may not be settled, oldest first; settled ones among them come too.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    start = _oldest(client, shard)
    while start:
        page: Any = client.xrange(keys.stream(shard), min=start, count=PAGE)
        yield from page
        start = f"({page[-1][0].decode()}" if len(page) == PAGE else ""


def by_offer(client: Redis, offers: Collection[str]) -> dict[str, list[Entry]]:
    """The readable ones among the entries of some offers.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    names = {offer.encode() for offer in offers}
    found: dict[str, list[Entry]] = defaultdict(list)
    for shard in keys.shards() if names else ():
        for entry_id, fields in entries(client, shard):
            if fields.get(b"offer") in names:
                try:
                    entry = Entry.parse(entry_id, fields)
                except MessageError:
                    continue  # The writer files it as a dead letter.
                found[entry.offer].append(entry)
    return found


def _oldest(client: Redis, shard: int) -> str:
    """Where to begin: at the oldest entry under way, else behind the newest that was given out."""
    try:
        # The newest first: what is given out between the two looks is under way at the second.
        groups: Any = client.xinfo_groups(keys.stream(shard))
        pending: Any = client.xpending(keys.stream(shard), keys.ORDER_GROUP)
    except ResponseError as error:
        if "no such key" in str(error) or "NOGROUP" in str(error):
            return "-"
        raise
    oldest = pending["min"]
    if oldest:
        return str(oldest.decode())
    name = keys.ORDER_GROUP.encode()
    return next(f"({each['last-delivered-id'].decode()}" for each in groups if each["name"] == name)

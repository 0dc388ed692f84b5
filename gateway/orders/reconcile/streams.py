"""A shard's streams: the group and its entries, the totals, the winners that could not be written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis import Redis
from sqlalchemy import Engine, select

from gateway import keys
from gateway.errors import MessageError
from gateway.orders import dead_letters, tables, unsettled
from gateway.orders.database import reading
from gateway.orders.dead_letters import Filed
from gateway.orders.message import Entry, Ticket
from gateway.orders.reconcile.breaches import Breach

PAGE = 500
WAITS_MS = 60_000
"""How long a winner may wait for an order writer before it is named."""
TRIES = 10
"""So often a moment is sought in which neither a sale nor a writer changes the totals."""


def check_group(client: Redis, shard: int) -> Iterator[Breach]:
    """The group, entries that were deleted under it, and entries that nobody comes for.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    if not client.exists(keys.stream(shard)):
        return
    if not _has_group(client, shard):
        says = f"the winners' stream of shard {shard} has no group of order writers"
        yield Breach("group_missing", says, entry=str(shard))
        return
    for page in _pending(client, shard):
        pipeline = client.pipeline(transaction=False)
        for entry_id in page:
            pipeline.xrange(keys.stream(shard), entry_id, entry_id)
        for entry_id, found in zip(page, pipeline.execute(), strict=True):
            if not found:
                says = "the entry was deleted before it was written; the tickets of its winners show who they are"
                yield Breach("entry_deleted", says, entry=entry_id)
    first = next(unsettled.entries(client, shard), None)
    seconds: Any = client.time()
    waits_ms = int(seconds[0]) * 1000 - int(first[0].split(b"-")[0]) if first is not None else 0
    if first is not None and waits_ms > WAITS_MS:
        says = f"winners wait for {waits_ms // 1000} s to be written"
        asks = "start an order writer, or look into its log why it does not get on"
        yield Breach("entries_wait", says, entry=str(shard), asks=asks)


def backlog_error(client: Redis, shard: int) -> int:
    """By how many winners the totals say more than what waits to be settled; 0 as well while all is in motion.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    names = ["issued", "committed"]
    for _ in range(TRIES):
        before: Any = client.hmget(keys.counters(shard), names)
        waiting = _waiting(client, shard)
        if client.hmget(keys.counters(shard), names) == before:
            issued, committed = (int(each or 0) for each in before)
            return issued - committed - waiting
    return 0


def check_totals(client: Redis, shard: int) -> Iterator[Breach]:
    """Whether the totals tell how many winners wait.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    if client.exists(keys.stream(shard)) and not _has_group(client, shard):
        return  # Nobody can tell what was settled; the group comes first.
    error = backlog_error(client, shard)
    if error:
        much = "many" if error > 0 else "few"
        says = f"the totals of shard {shard} count {abs(error)} winners too {much} as waiting"
        yield Breach("backlog_differs", says, entry=str(shard))


def check_dead(client: Redis, engine: Engine, shard: int, offer: str | None) -> Iterator[Breach]:
    """Winners that could not be written, of all offers or of one.

    Raises:
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: a store cannot be read.
    """
    for filed in dead_letters.all_of(client, shard):
        if offer is None or filed.letter.offer == offer.encode():
            yield judge(engine, filed)


def judge(engine: Engine, filed: Filed) -> Breach:
    """What can be done for the winner of a dead letter."""
    letter = filed.letter
    offer, shopper = letter.offer.decode("utf-8", "replace"), letter.shopper.decode("utf-8", "replace")
    says = f"shopper {shopper} was told that they won and has no order: {letter.reason}"
    try:
        ticket = Ticket.parse(letter.ticket)
    except MessageError:
        asks = f"read dead letter {filed.id} and settle with the shopper, then delete it from the stream"
        return Breach("dead_letter_stuck", "an entry or a ticket cannot be read", offer, entry=filed.id, asks=asks)
    with reading(engine) as connection:
        found = connection.execute(
            select(tables.orders.c.offer, tables.orders.c.shopper).where(
                tables.orders.c.order_no == ticket.order_no
            )
        ).one_or_none()
        known = connection.execute(select(tables.offers.c.id).where(tables.offers.c.id == offer)).one_or_none()
    unit, order_no = ticket.units[0], ticket.order_no
    if found is not None and (found.offer, found.shopper) == (offer, shopper):
        says = f"order {order_no} is in the ledger by now"
        return Breach("dead_letter_settled", says, offer, unit, order_no, filed.id)
    if found is not None or known is None:
        asks = (
            "restore the offer in the ledger"
            if known is None
            else "two winners have this order number: settle with both"
        )
        return Breach("dead_letter_stuck", says, offer, unit, order_no, filed.id, asks)
    return Breach("dead_letter", says, offer, unit, order_no, filed.id)


def _has_group(client: Redis, shard: int) -> bool:
    groups: Any = client.xinfo_groups(keys.stream(shard))
    return any(each["name"] == keys.ORDER_GROUP.encode() for each in groups)


def _pending(client: Redis, shard: int) -> Iterator[list[str]]:
    """Ids of all entries that were given to a writer and not settled, page by page."""
    after = "-"
    while True:
        rows: Any = client.xpending_range(keys.stream(shard), keys.ORDER_GROUP, after, "+", PAGE)
        ids = [row["message_id"].decode() for row in rows]
        if ids:
            yield ids
        if len(ids) < PAGE:
            return
        after = f"({ids[-1]}"


def _waiting(client: Redis, shard: int) -> int:
    """Winners in entries that are not settled."""
    if not client.exists(keys.stream(shard)):
        return 0
    given: set[str] = set()
    delivered = (0, 0)
    if _has_group(client, shard):
        groups: Any = client.xinfo_groups(keys.stream(shard))
        [last] = [each["last-delivered-id"] for each in groups if each["name"] == keys.ORDER_GROUP.encode()]
        delivered = _position(last)
        given = {entry_id for page in _pending(client, shard) for entry_id in page}
    return sum(
        _winners(entry_id, fields)
        for entry_id, fields in unsettled.entries(client, shard)
        if entry_id.decode() in given or _position(entry_id) > delivered
    )


def _winners(entry_id: bytes, fields: dict[bytes, bytes]) -> int:
    """How many winners settling the entry counts."""
    try:
        return len(Entry.parse(entry_id, fields).winners)
    except MessageError:
        return dead_letters.of_entry(fields)[0]


def _position(entry_id: bytes) -> tuple[int, int]:
    ms, _, number = entry_id.partition(b"-")
    return int(ms), int(number)

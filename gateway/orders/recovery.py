"""Recovery: an offer that Redis lost, or lost something of, sells on from what the ledger knows.

First the ledger gets what only Redis still has: tickets in the stream and in the buyers' records. Then the offer
is built anew under the next epoch (`rebuilding`) and may be approved. All of it may be repeated, by any process,
after a crash at any point.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from redis import Redis
from sqlalchemy import Engine, select

from gateway import keys
from gateway.errors import MessageError
from gateway.orders import holdings, rebuilding, runs, tables, unsettled
from gateway.orders.comparison import difference
from gateway.orders.database import reading
from gateway.orders.ledger import Ledger, Settlement
from gateway.orders.message import Entry, Ticket, Winner
from gateway.orders.runs import Runs
from gateway.orders.stream import WinnersStream

RESCUED = "0-1"
"""The entry of an order that came from a buyer's record; no stream has it."""
RECORDS_TOGETHER = 1000
"""Buyers' records read at once, about as many tickets as the ledger writes in one transaction."""

log = logging.getLogger(__name__)


def recover(
    client: Redis, engine: Engine, ledger: Ledger, offer: str, found: Runs, *, lease_ms: int, why: str = ""
) -> None:
    """Rebuild an offer that is closed on this Redis and differs from the ledger; it stays closed.

    Args:
        client: Redis.
        engine: the database.
        ledger: its orders.
        offer: the offer; nothing happens when one of its buckets is open.
        found: the runs, read before anything else.
        lease_ms: how long gateways repeat a refusal.
        why: rebuild for this reason, whether a difference shows or not.

    Raises:
        RecoveryError: the ledger cannot tell what the offer should be.
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: try again.
    """
    with reading(engine) as connection:
        buckets = connection.execute(
            select(tables.offers.c.buckets).where(tables.offers.c.id == offer)
        ).scalar_one_or_none()
    if buckets is None:
        return
    wanted = runs.wanted(offer, buckets, found)
    [closed_by] = runs.approved(client, [(offer, buckets)])
    if runs.any_open(closed_by, wanted):
        return
    rescue(client, engine, ledger, offer)
    with holdings.locked(engine, offer) as (connection, row):
        # Approval needs the same lock. One that came before it means sales that were not rescued.
        if row is None or runs.approved(client, [(offer, buckets)]) != [closed_by]:
            return
        # What was rescued may have been all.
        waiting = unsettled.by_offer(client, [offer]).get(offer, [])
        reason = why or difference(connection, client, row, waiting)
        if reason is None:
            return
        epoch = rebuilding.rebuild(connection, client, row, lease_ms=lease_ms)
    log.warning("recovered offer=%s epoch=%d from the ledger: %s", offer, epoch, reason)
    rebuilding.forget_before(client, offer, buckets, epoch)


def rescue(client: Redis, engine: Engine, ledger: Ledger, offer: str) -> int:
    """Write into the ledger what only Redis has of an offer; how many orders were written.

    A ticket that the ledger cannot have (its unit is somebody else's by now) becomes a dead letter.
    """
    with reading(engine) as connection:
        row = connection.execute(
            select(tables.offers.c.epoch, tables.offers.c.buckets).where(tables.offers.c.id == offer)
        ).one_or_none()
    if row is None:
        return 0
    written = 0
    waiting = [each for each in unsettled.by_offer(client, [offer]).get(offer, []) if each.epoch == row.epoch]
    for bucket in keys.bucket_numbers(row.buckets):
        shard = keys.shard_of(offer, bucket)
        for page in _pages([each for each in waiting if each.bucket == bucket]):
            fresh = _fresh(engine, page)
            if fresh:
                # What cannot be written is left to the order writer, which files it when it comes to the entry.
                ledger.write(shard, fresh)
                written += sum(len(each.winners) for each in fresh)
        for winners in _tickets(client, offer, bucket, row.epoch):
            fresh = _fresh(engine, [Entry(RESCUED, offer, bucket, row.epoch, tuple(winners))])
            if fresh:
                written += _write_and_file(client, ledger, shard, fresh)
    if written:
        log.warning("rescued from Redis into the ledger: offer=%s orders=%d", offer, written)
    return written


def _pages(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Pieces of about `RECORDS_TOGETHER` winners."""
    piece: list[Entry] = []
    winners = 0
    for entry in entries:
        piece.append(entry)
        winners += len(entry.winners)
        if winners >= RECORDS_TOGETHER:
            yield piece
            piece, winners = [], 0
    if piece:
        yield piece


def _tickets(client: Redis, offer: str, bucket: int, ledger_epoch: int) -> Iterator[list[Winner]]:
    """All tickets in a bucket's records of the epoch that Redis has, page by page."""
    there: Any = client.hget(keys.offer(offer, bucket), "epoch")
    buyers = keys.buyers(offer, int(there or ledger_epoch), bucket)
    cursor = 0
    while True:
        records: Any
        cursor, records = client.hscan(buyers, cursor, count=RECORDS_TOGETHER)
        found = [Winner(shopper, text) for shopper, record in records.items() for text in record.split(b"|")]
        if found:
            yield found
        if cursor == 0:
            return


def _fresh(engine: Engine, entries: Iterable[Entry]) -> list[Entry]:
    """The entries with those winners only whose orders the ledger does not have, unreadable ones among them."""
    numbers = {winner: number for entry in entries for winner in entry.winners if (number := _order_no(winner))}
    unknown = holdings.unknown(engine, set(numbers.values())) | {""}
    found = []
    for entry in entries:
        winners = tuple(winner for winner in entry.winners if numbers.get(winner, "") in unknown)
        if winners:
            found.append(Entry(entry.id, entry.offer, entry.bucket, entry.epoch, winners))
    return found


def _order_no(winner: Winner) -> str:
    try:
        return Ticket.parse(winner.ticket).order_no
    except MessageError:
        return ""


def _write_and_file(client: Redis, ledger: Ledger, shard: int, entries: Sequence[Entry]) -> int:
    """Write winners that no stream has, and file those that cannot be written; how many were written."""
    settlements = ledger.write(shard, entries)
    letters = tuple(letter for each in settlements for letter in each.letters)
    if letters:
        WinnersStream(client, shard, "recovery").settle([Settlement(RESCUED, 0, letters)])
    return sum(each.winners - len(each.letters) for each in settlements)

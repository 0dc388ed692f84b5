"""Units on their way back to Redis.

The transaction that gives units up writes a row here; whoever comes by tells Redis and marks the row done. A
crash between the two leaves the row waiting, and telling Redis twice changes nothing.

A row is done only once Redis has it for good. So it is marked under the lock that recovery and the fence take
on the offer, and only if the offer's epoch and the Redis process are still those that were told: whoever looks
through an offer later finds every row that an earlier Redis was told.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import ResponseError
from sqlalchemy import Connection, Engine, Row, delete, func, select, update

from gateway import keys, scripts
from gateway.orders import runs, tables
from gateway.orders.bulk import insert
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.runs import Runs
from gateway.orders.tables import order_units, unit_releases

TOGETHER = 500
"""Rows told to Redis in one pipeline, and marked in one transaction."""
KEEP_DONE_MS = 7 * 24 * 3_600_000
"""How long done rows stay, for recovery to compare with."""

log = logging.getLogger(__name__)


class GivenUp(NamedTuple):
    """An order and the units of it that are to be sold again."""

    order_no: str
    offer: str
    shopper: str
    units: Sequence[int]


class Applied(NamedTuple):
    """What became of waiting rows."""

    # Units that are on sale again, and rows that are done.
    units: int = 0
    done: int = 0
    # Offers that Redis lacks, has in another epoch or would not change: not before somebody has seen to them.
    closed: frozenset[str] = frozenset()
    # The id after which to go on; None when all have been looked at.
    after: int | None = None


def request(
    connection: Connection, order_no: str, offer: str, shopper: str, units: Sequence[int], *, at_ms: int
) -> None:
    """Give units of an order up for sale again, in the transaction that decides it. `at_ms` is database time."""
    # Recovery takes the offer exclusively, so it sees all of this or nothing.
    connection.execute(select(tables.offers.c.id).where(tables.offers.c.id == offer).with_for_update(read=True))
    connection.execute(
        update(order_units)
        .where(order_units.c.order_no == order_no, order_units.c.unit.in_(units))
        .values(active=False, released=True)
    )
    write_down(connection, [GivenUp(order_no, offer, shopper, units)], at_ms=at_ms)


def write_down(connection: Connection, given_up: Iterable[GivenUp], *, at_ms: int) -> None:
    """Queue units, which the caller has marked as released, for Redis. `at_ms` is database time."""
    rows = [(each.order_no, each.offer, each.shopper, list(each.units), at_ms) for each in given_up]
    insert(connection, unit_releases, rows, skip=False)


def apply_waiting(
    engine: Engine,
    client: Redis,
    *,
    lease_ms: int,
    order_no: str | None = None,
    after: int = 0,
    without: Collection[str] = (),
) -> Applied:
    """Tell Redis of a batch of waiting rows (of one order, or the oldest after a row's id) and mark them done.

    Any number of processes may do so at once, and stop at any point.

    Args:
        engine: the ledger.
        client: Redis.
        lease_ms: how long gateways repeat a refusal.
        order_no: only the rows of this order.
        after: only rows with a higher id.
        without: no rows of these offers.

    Raises:
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: rows may be told and not marked; they stay waiting.
    """
    with reading(engine) as connection:
        rows = _waiting(connection, order_no, after, without)
    if not rows:
        return Applied()
    # Read before anything is told: a row that an older process was told is not marked.
    before = runs.now(client)
    told = _tell(client, rows, lease_ms)
    done = _mark(engine, client, [row for row in rows if row.id in told], before)
    return Applied(
        units=sum(told.values()),
        done=done,
        closed=frozenset(row.offer for row in rows if row.id not in told),
        after=rows[-1].id if len(rows) == TOGETHER else None,
    )


def _waiting(
    connection: Connection, order_no: str | None, after: int, without: Collection[str]
) -> Sequence[Row[Any]]:
    statement = (
        select(unit_releases, tables.offers.c.epoch, func.coalesce(tables.orders.c.bucket, 0).label("bucket"))
        .join(tables.offers, tables.offers.c.id == unit_releases.c.offer)
        .outerjoin(tables.orders, tables.orders.c.order_no == unit_releases.c.order_no)
        .where(unit_releases.c.done_at_ms.is_(None), unit_releases.c.id > after)
        .order_by(unit_releases.c.id)
        .limit(TOGETHER)
    )
    if order_no is not None:
        statement = statement.where(unit_releases.c.order_no == order_no)
    if without:
        statement = statement.where(unit_releases.c.offer.not_in(without))
    return connection.execute(statement).all()


def _tell(client: Redis, rows: Sequence[Row[Any]], lease_ms: int) -> dict[int, int]:
    """Row id → units freed now, of all rows that Redis has understood."""
    script = scripts.load("release")
    pipeline = client.pipeline(transaction=False)
    pipeline.script_load(script.source)
    for row in rows:
        script.queue(
            pipeline,
            {
                "offer": keys.offer(row.offer, row.bucket),
                "buyers": keys.buyers(row.offer, row.epoch, row.bucket),
                "freed": keys.freed(row.offer, row.epoch, row.bucket),
            },
            {
                "order_no": row.order_no,
                "shopper": row.shopper,
                "epoch": row.epoch,
                "units": ".".join(map(str, row.units)),
                "lease_ms": lease_ms,
            },
        )
    told = {}
    refused: dict[str, str] = {}
    for row, reply in zip(rows, pipeline.execute(raise_on_error=False)[1:], strict=True):
        if isinstance(reply, ResponseError):
            refused[row.offer] = str(reply)
            continue
        word, *numbers = script.read(reply)
        if word in {"RELEASED", "NOTHING"}:
            told[row.id] = int(numbers[2]) if word == "RELEASED" else 0
    for offer, reason in refused.items():
        log.warning("units of %s cannot be given back yet: %s", offer, reason)
    return told


def _mark(engine: Engine, client: Redis, rows: Sequence[Row[Any]], before: Runs) -> int:
    """Mark rows as done whose offer nobody has recovered since; how many were marked now or before."""
    if not rows:
        return 0
    with writing(engine) as connection:
        epochs = {
            row.id: row.epoch
            for row in connection.execute(
                select(tables.offers.c.id, tables.offers.c.epoch)
                .where(tables.offers.c.id.in_({row.offer for row in rows}))
                .order_by(tables.offers.c.id)
                .with_for_update(read=True)
            )
        }
        now = runs.now(client)
        stayed = {shard for shard, run_id in before.items() if now.get(shard) == run_id}
        done = [
            row.id
            for row in rows
            if epochs.get(row.offer) == row.epoch and keys.shard_of(row.offer, row.bucket) in stayed
        ]
        if done:
            connection.execute(
                update(unit_releases)
                .where(unit_releases.c.id.in_(done), unit_releases.c.done_at_ms.is_(None))
                .values(done_at_ms=now_ms(connection))
            )
    return len(done)


def prune(engine: Engine) -> int:
    """Delete some of the rows that have been done for `KEEP_DONE_MS`; how many."""
    with writing(engine) as connection:
        # Rows are done about in the order of their ids, so the oldest of all are looked at and no others.
        oldest = (
            select(unit_releases.c.id, unit_releases.c.done_at_ms)
            .where(unit_releases.c.done_at_ms.is_not(None))
            .order_by(unit_releases.c.id)
            .limit(TOGETHER)
            .subquery()
        )
        over = select(oldest.c.id).where(oldest.c.done_at_ms < now_ms(connection) - KEEP_DONE_MS)
        return connection.execute(delete(unit_releases).where(unit_releases.c.id.in_(over))).rowcount

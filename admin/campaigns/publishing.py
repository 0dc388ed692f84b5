"""Bringing Redis to what the ledger says an offer should be. Every step may be repeated, by any process.

Stock is seeded once. The step that seeds holds the offer's row, so that nobody else seeds, removes or changes
the stock of the same offer meanwhile; a crash after Redis and before the commit leaves the row as it was, and
the next step finds in Redis exactly what it would have seeded. Changed terms need no such care: Redis takes
only a newer version.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import orjson
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from sqlalchemy import Connection, Row, exists, select, update

from admin.campaigns.tables import offer_removals
from admin.errors import Deferred, Lost
from admin.resources import Resources
from gateway import keys
from gateway import offers as published
from gateway.errors import OfferError, RedisProblem
from gateway.orders.database import reading, writing
from gateway.orders.tables import offers, orders

TOGETHER = 50
"""Offers published in one go, and seeded in one transaction: few enough that other writers do not wait long."""

ResultT = TypeVar("ResultT")
_log = logging.getLogger(__name__)


def deferred(error: Exception) -> Deferred:
    """What the operator hears when Redis could not follow at once."""
    if isinstance(error, Lost):
        return Deferred(f"the change is stored, but {error.detail}", code=error.code, **error.members)
    return Deferred("the change is stored and will be published as soon as Redis answers again")


FAILURES = (RedisError, RedisProblem, OfferError, Lost, TimeoutError)
"""What may go wrong between the database and Redis without anything being lost."""


def steadily(resources: Resources, step: Callable[[], ResultT]) -> ResultT:
    """Take one step that may be repeated; a pooled connection that broke while idle is no reason to fail."""
    try:
        return step()
    except RedisConnectionError:
        resources.redis.ping()
        return step()


def publish_campaign(resources: Resources, code: str) -> None:
    """Publish what is unpublished of a campaign, so that the next click finds it.

    Raises:
        Deferred: Redis could not follow; the publisher goes on trying.
    """
    with reading(resources.engine) as connection:
        ids = connection.execute(
            select(offers.c.id)
            .where(offers.c.campaign == code, offers.c.published_version < offers.c.version)
            .order_by(offers.c.id)
        ).scalars()
        wanted = list(ids)
    try:
        steadily(resources, lambda: publish(resources, wanted))
    except FAILURES as error:
        _log.warning("campaign %s is stored and not yet published: %s", code, error)
        raise deferred(error) from error


def unpublished(resources: Resources, limit: int) -> list[str]:
    """Offers whose newest version Redis has not confirmed."""
    with reading(resources.engine) as connection:
        return list(
            connection.execute(
                select(offers.c.id)
                .where(
                    offers.c.published_version < offers.c.version,
                    ~exists().where(offer_removals.c.offer == offers.c.id),
                )
                .order_by(offers.c.id)
                .limit(limit)
            ).scalars()
        )


def publish(resources: Resources, ids: Sequence[str]) -> None:
    """Bring Redis to the newest version of some offers.

    All are tried; a lost one does not keep the others back.

    Raises:
        Lost: Redis lacks one of them and it was seeded before.
        RedisError: Redis cannot be reached.
    """
    if not ids:
        return
    # No row is locked and no write transaction begun while Redis does not even answer.
    resources.redis.ping()
    lost: Lost | None = None
    for start in range(0, len(ids), TOGETHER):
        piece = sorted(ids[start : start + TOGETHER])
        try:
            _publish_piece(resources, piece)
        except Lost as error:
            lost = error
    if lost is not None:
        raise lost


def _publish_piece(resources: Resources, ids: Sequence[str]) -> None:
    with reading(resources.engine) as connection:
        rows = _rows(connection, ids)
    lost = _update(resources, [row for row in rows if row.seeded and row.published_version < row.version])
    fresh = [row.id for row in rows if not row.seeded]
    if fresh:
        lost += _seed(resources, fresh)
    if lost:
        raise Lost(lost[0])


def _update(resources: Resources, rows: Sequence[Row[Any]]) -> list[str]:
    """New terms for offers that were seeded before; those that Redis lacks."""
    if not rows:
        return []
    wanted = [(terms_of(row), None) for row in rows]
    words = published.publish_all(resources.redis, wanted, lease_ms=resources.lease_ms)
    with writing(resources.engine) as connection:
        for row, word in zip(rows, words, strict=True):
            if word != "MISSING":
                _mark(connection, row.id, row.version)
    return [row.id for row, word in zip(rows, words, strict=True) if word == "MISSING"]


def _seed(resources: Resources, ids: Sequence[str]) -> list[str]:
    """First terms, with the stock, of offers that were never seeded; those that must not be seeded again."""
    with writing(resources.engine) as connection:
        # Another process may have been faster: its offers are published already.
        rows = [row for row in _rows(connection, ids, lock=True) if not row.seeded]
        sold = set(connection.execute(select(orders.c.offer).where(orders.c.offer.in_(ids)).distinct()).scalars())
        rows_new = [row for row in rows if row.id not in sold]
        wanted = [(terms_of(row), row.stock) for row in rows_new]
        words = published.publish_all(resources.redis, wanted, lease_ms=resources.lease_ms) if wanted else []
        lost = sorted(sold & {row.id for row in rows})
        for row, word in zip(rows_new, words, strict=True):
            if word != "CREATED" and not _is_ours(resources, row):
                lost.append(row.id)
                continue
            connection.execute(update(offers).where(offers.c.id == row.id).values(seeded=True))
            _mark(connection, row.id, row.version)
    return lost


def _is_ours(resources: Resources, row: Row[Any]) -> bool:
    """Whether what Redis has was seeded from this very row just before a crash, and is not somebody else's."""
    found = published.read(resources.redis, row.id)
    return found is not None and (found.version, found.stock, found.epoch) == (row.version, row.stock, row.epoch)


def _mark(connection: Connection, offer: str, version: int) -> None:
    connection.execute(
        update(offers)
        .where(offers.c.id == offer, offers.c.published_version < version)
        .values(published_version=version)
    )


def _rows(connection: Connection, ids: Iterable[str], *, lock: bool = False) -> Sequence[Row[Any]]:
    statement = select(offers).where(offers.c.id.in_(list(ids))).order_by(offers.c.id)
    return connection.execute(statement.with_for_update() if lock else statement).all()


def terms_of(row: Row[Any]) -> published.Terms:
    """The terms of an offer's row."""
    return published.Terms(
        offer=row.id,
        version=row.version,
        epoch=row.epoch,
        state=row.state,
        starts_at_ms=row.starts_at_ms,
        ends_at_ms=row.ends_at_ms,
        price=row.price,
        limit=row.limit_per_shopper,
        pay_within_ms=row.pay_within_ms,
        buckets=row.buckets,
        card=orjson.loads(row.card),
    )


def absent(resources: Resources, ids: Sequence[str]) -> frozenset[str]:
    """Those of some offers that Redis does not have.

    Raises:
        RedisError: Redis cannot be reached.
    """
    pipeline = resources.redis.pipeline(transaction=False)
    for offer in ids:
        pipeline.exists(keys.offer(offer))
    found = pipeline.execute() if ids else []
    return frozenset(offer for offer, there in zip(ids, found, strict=True) if not there)

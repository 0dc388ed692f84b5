"""Bringing Redis to what the ledger says an offer should be. Every step may be repeated, by any process.

Stock is seeded once. The step that seeds holds the offer's row, so that nobody else seeds, removes or changes
the stock of the same offer meanwhile; a crash after Redis and before the commit leaves the row as it was, and
the next step finds in Redis exactly what it would have seeded. Changed terms need no such care: Redis takes
only a newer version.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    fresh = [row.id for row in rows if not row.seeded]
    changed = [row for row in rows if row.seeded and row.published_version < row.version]
    lost: Lost | None = None
    if changed:
        # Each may wait until the refusals that gateways repeat have run out, so they wait together.
        with ThreadPoolExecutor(TOGETHER) as threads:
            words = list(threads.map(lambda row: _update(resources, row), changed))
        with writing(resources.engine) as connection:
            for row, word in zip(changed, words, strict=True):
                if word == "MISSING":
                    lost = Lost(row.id)
                else:
                    _mark(connection, row.id, row.version)
    if fresh:
        with writing(resources.engine) as connection:
            for row in _rows(connection, fresh, lock=True):
                try:
                    _seed(resources, connection, row)
                except Lost as error:
                    lost = error
    if lost is not None:
        raise lost


def _seed(resources: Resources, connection: Connection, row: Row[Any]) -> None:
    if row.seeded:
        # Another process was faster.
        if _update(resources, row) == "MISSING":
            raise Lost(row.id)
        _mark(connection, row.id, row.version)
        return
    if connection.execute(select(exists().where(orders.c.offer == row.id))).scalar_one():
        raise Lost(row.id)
    lease_ms = resources.lease_ms
    if published.publish(resources.redis, terms_of(row), seed=row.stock, lease_ms=lease_ms) != "CREATED":
        # It is there already: seeded just before a crash, with this stock, or somebody else's.
        found = published.read(resources.redis, row.id)
        if found is None or (found.version, found.stock, found.epoch) != (row.version, row.stock, row.epoch):
            raise Lost(row.id)
    connection.execute(update(offers).where(offers.c.id == row.id).values(seeded=True))
    _mark(connection, row.id, row.version)


def _update(resources: Resources, row: Row[Any]) -> str:
    return published.publish(resources.redis, terms_of(row), seed=None, lease_ms=resources.lease_ms)


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

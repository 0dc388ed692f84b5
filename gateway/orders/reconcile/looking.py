"""Looking through everything, and again at what looks broken: on a live sale much of it is only under way."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from redis import Redis
from sqlalchemy import Engine, select, true

from gateway import keys
from gateway.errors import OfferError
from gateway.orders import runs, tables
from gateway.orders.database import reading
from gateway.orders.ledger import Ledger
from gateway.orders.reconcile import streams
from gateway.orders.reconcile.breaches import Breach
from gateway.orders.reconcile.numbers import (
    check_itself,
    check_ledger,
    check_row,
    check_stock,
    check_transfers,
    see,
)
from gateway.orders.reconcile.tickets import TicketCheck
from gateway.orders.runs import Runs
from gateway.settings import Settings

LOOKS = 5
"""So often the same must be found before it is called broken."""
BETWEEN_LOOKS_S = 0.5


@dataclass(frozen=True, slots=True)
class Stores:
    """What is held against each other."""

    settings: Settings
    client: Redis
    engine: Engine
    ledger: Ledger


def broken(stores: Stores, offer: str | None = None) -> list[Breach]:
    """Every broken invariant, of all offers and streams or of one offer.

    Raises:
        OfferError: there is no such offer.
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: a store cannot be read.
    """
    ids = offer_ids(stores, offer)
    found = _look(stores, ids, whole=True, only=offer)
    for _ in range(LOOKS - 1):
        if not found:
            break
        time.sleep(BETWEEN_LOOKS_S)
        suspects = {each.offer for each in found}
        again = _look(stores, [each for each in ids if each in suspects], whole=offer is None, only=offer)
        seen = {each.place for each in found}
        found = [each for each in again if each.place in seen]
    return found


def offer_ids(stores: Stores, offer: str | None) -> list[str]:
    """Every offer that was put on sale, or the one that is asked for.

    Raises:
        OfferError: there is no such offer.
    """
    with reading(stores.engine) as connection:
        statement = select(tables.offers.c.id).where(tables.offers.c.seeded == true()).order_by(tables.offers.c.id)
        if offer is not None:
            statement = statement.where(tables.offers.c.id == offer)
        ids = list(connection.execute(statement).scalars())
    if offer is not None and not ids:
        raise OfferError(
            f"the ledger has no offer {offer} that was ever on sale: give one as it stands in a sale's URL"
        )
    return ids


def _look(stores: Stores, ids: Collection[str], *, whole: bool, only: str | None) -> list[Breach]:
    there = runs.now(stores.client)
    found = [breach for each in ids for breach in look_at(stores, each, there)]
    for shard in keys.shards():
        if whole and only is None:
            found += streams.check_group(stores.client, shard)
            found += streams.check_totals(stores.client, shard)
            found += _unknown(stores, shard)
        found += streams.check_dead(stores.client, stores.engine, shard, only)
    return found


def look_at(stores: Stores, offer: str, there: Runs) -> Iterator[Breach]:
    """One look at one offer; what it finds may only be under way.

    Raises:
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: a store cannot be read.
    """
    with reading(stores.engine) as connection:
        row = connection.execute(select(tables.offers).where(tables.offers.c.id == offer)).one_or_none()
        if row is None:
            return
        yield from check_ledger(connection, row)
        seen = see(stores.client, offer, row.buckets)
        if isinstance(seen, Breach):
            yield seen
            return
        for each in seen:
            yield from check_itself(each, offer)
            yield from check_row(each, row, there[keys.shard_of(offer, each.bucket.number)])
        yield from check_stock(connection, stores.client, seen, row)
        yield from check_transfers(seen, offer)
    yield from TicketCheck(stores.client, stores.engine, offer, seen).run()


def _unknown(stores: Stores, shard: int) -> Iterator[Breach]:
    there = {name.decode() for name in stores.client.sscan_iter(keys.offers(shard))}
    with reading(stores.engine) as connection:
        known = set(connection.execute(select(tables.offers.c.id)).scalars())
    for offer in sorted(there - known):
        asks = "restore the ledger that has it, or delete its keys in Redis"
        yield Breach("offer_unknown", "Redis has an offer that the ledger does not know", offer, asks=asks)

"""An offer built anew in Redis from the ledger, under the next epoch.

Everything is built beside what is there, under names that expire by themselves, and put in its place in one
step. So a crash at any point leaves an offer that is as closed as before, and the next attempt begins afresh.
"""

from __future__ import annotations

import secrets
from array import array
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, TypeVar

import msgpack
import orjson
from redis import Redis
from sqlalchemy import Connection, Row, func, select, text, update

from gateway import keys, scripts
from gateway.errors import RecoveryError
from gateway.orders import holdings, tables
from gateway.orders.database import now_ms

TOGETHER = 1000
"""Buyers or numbers written by one command."""
BUILT_FOR_S = 3600
"""How long something half built is kept for nobody."""
EPOCHS_FORGOTTEN = 16
"""So many epochs before the new one are looked for and deleted."""
PARTS = ("buyers", "freed", "retired", "operations")

ItemT = TypeVar("ItemT")


def rebuild(connection: Connection, client: Redis, row: Row[Any], *, lease_ms: int) -> int:
    """Build an offer anew and put it in its place, closed; the caller commits.

    Args:
        connection: the transaction that holds the offer's row (`holdings.locked`).
        client: Redis.
        row: the offer's row.
        lease_ms: how long gateways repeat a refusal.

    Returns:
        The new epoch.

    Raises:
        RecoveryError: the ledger holds more units than the stock, or Redis changed meanwhile.
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: nothing has changed that anybody can see.
    """
    there: Any = client.hmget(keys.offer(row.id), ("epoch", "next_unit", "ended_at_ms"))
    redis_epoch, next_unit, ended_at_ms = (int(each or 0) for each in there)
    epoch: int = max(row.epoch, redis_epoch) + 1
    attempt = secrets.token_hex(8)
    built = {part: keys.built(row.id, part, attempt) for part in PARTS}

    units = array("q")
    buyers = _build_buyers(client, built["buyers"], holdings.held_tickets(connection, row.id), units)
    left = row.stock - len(units)
    if left < 0:
        raise RecoveryError(
            f"the ledger holds {len(units)} units of {row.id} and allows {row.stock}: raise its stock by {-left}"
        )
    # What Redis knows to be issued stays so: a lost winner's receipt may name it.
    top = max([0, *units, min(next_unit - 1, row.unit_cap)])
    free = _free_numbers(units, top)
    freed = _build_numbers(client, built["freed"], islice(free, left))
    retired = _build_numbers(client, built["retired"], free)
    operations = _build_operations(connection, client, built["operations"], row)
    now = now_ms(connection)
    fields = _terms(row) | {
        "stock": row.stock,
        "left": left,
        "next_unit": top + 1,
        "unit_top": top + left - freed,
        "unit_cap": row.unit_cap,
        "freed": freed,
        "sold_at_ms": _last_won_at_ms(connection, row.id),
        "may_return_at_ms": _may_return_at_ms(connection, row.id),
        "ended_at_ms": (ended_at_ms or min(now, row.ends_at_ms)) if row.state == "terminated" else 0,
    }
    _put_in_place(client, row.id, epoch, built, (buyers, freed, retired, operations), fields, lease_ms)
    connection.execute(
        update(tables.offers).where(tables.offers.c.id == row.id).values(epoch=epoch, published_version=row.version)
    )
    connection.execute(
        update(tables.stock_operations)
        .where(tables.stock_operations.c.offer == row.id, tables.stock_operations.c.state == "pending")
        .values(epoch=epoch)
    )
    return epoch


def forget_before(client: Redis, offer: str, epoch: int) -> None:
    """Delete what earlier epochs have left, once the new one is committed.

    Raises:
        redis.RedisError: Redis cannot be reached; what is left is only in the way.
    """
    names = (keys.buyers, keys.freed, keys.retired, keys.operations)
    earlier = range(max(keys.FIRST_EPOCH, epoch - EPOCHS_FORGOTTEN), epoch)
    old = [name(offer, each) for each in earlier for name in names]
    if old:
        client.unlink(*old)


def _terms(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "bucket": 0,
        "version": row.version,
        "unit_first": 1,
        "state": row.state,
        "starts_at_ms": row.starts_at_ms,
        "ends_at_ms": row.ends_at_ms,
        "price": row.price,
        "limit": row.limit_per_shopper,
        "pay_within_ms": row.pay_within_ms,
        "card": orjson.dumps(orjson.loads(row.card)).decode(),
        # Approval waits until no refusal from before is repeated any more, so nothing has to be held.
        "hold_until_ms": 0,
        "hold_letter": "",
    }


def _build_buyers(client: Redis, key: str, held: Iterator[holdings.Holding], units: array[int]) -> int:
    """Write every buyer's record and note the units; how many buyers."""
    count = 0
    for page in _pages(groupby(held, key=lambda holding: holding[0])):
        records: dict[Any, Any] = {}
        for shopper, tickets in page:
            found = [ticket for _, ticket in tickets]
            records[shopper] = "|".join(ticket.text for ticket in found)
            for ticket in found:
                units.extend(ticket.units)
        pipeline = client.pipeline(transaction=False)
        pipeline.hset(key, mapping=records)
        pipeline.expire(key, BUILT_FOR_S)
        pipeline.execute()
        count += len(records)
    return count


def _free_numbers(units: array[int], top: int) -> Iterator[int]:
    """Numbers from 1 to `top` that nobody holds, in order."""
    number = 1
    for unit in sorted(units):
        yield from range(number, unit)
        number = unit + 1
    yield from range(number, top + 1)


def _build_numbers(client: Redis, key: str, numbers: Iterator[int]) -> int:
    count = 0
    for page in _pages(numbers):
        found = list(page)
        pipeline = client.pipeline(transaction=False)
        pipeline.zadd(key, {str(number): number for number in found})
        pipeline.expire(key, BUILT_FOR_S)
        pipeline.execute()
        count += len(found)
    return count


def _build_operations(connection: Connection, client: Redis, key: str, row: Row[Any]) -> int:
    """Every operation that is in the ledger's stock: applied ones, and raises that Redis has not confirmed."""
    operations = tables.stock_operations
    found = connection.execute(
        select(operations.c.operation_id, operations.c.stock).where(
            operations.c.offer == row.id,
            (operations.c.state == "applied") | ((operations.c.state == "pending") & (operations.c.delta > 0)),
        )
    ).all()
    if found:
        pipeline = client.pipeline(transaction=False)
        pipeline.hset(
            key, mapping={each.operation_id: row.stock if each.stock is None else each.stock for each in found}
        )
        pipeline.expire(key, BUILT_FOR_S)
        pipeline.execute()
    return len(found)


def _last_won_at_ms(connection: Connection, offer: str) -> int:
    last = select(func.max(tables.orders.c.won_at_ms)).where(tables.orders.c.offer == offer)
    return int(connection.execute(last).scalar_one() or 0)


def _may_return_at_ms(connection: Connection, offer: str) -> int:
    orders = tables.orders
    # The literal lets both databases see that the partial index serves.
    first = select(func.min(orders.c.expire_at_ms)).where(orders.c.offer == offer, text("status = 'pending'"))
    return int(connection.execute(first).scalar_one() or 0)


def _put_in_place(
    client: Redis,
    offer: str,
    epoch: int,
    built: dict[str, str],
    sizes: tuple[int, int, int, int],
    fields: dict[str, Any],
    lease_ms: int,
) -> None:
    # Numbers travel as text: Lua would print large ones in exponent form.
    flat = [part for name, value in fields.items() for part in (name, str(value))]
    word, *_ = scripts.load("restore_offer").call(
        client,
        {
            "offer": keys.offer(offer),
            "offers": keys.offers(keys.shard_of(offer)),
            "buyers": keys.buyers(offer, epoch),
            "freed": keys.freed(offer, epoch),
            "retired": keys.retired(offer, epoch),
            "operations": keys.operations(offer, epoch),
        }
        | {f"built_{part}": key for part, key in built.items()},
        {
            "id": offer,
            "epoch": epoch,
            "lease_ms": lease_ms,
            "sizes": msgpack.packb(sizes),
            "fields": msgpack.packb(flat, use_bin_type=False),
            "bucket": 0,
        },
    )
    if word != "RESTORED":
        raise RecoveryError(f"Redis has changed while {offer} was rebuilt; another attempt follows")


def _pages(items: Iterable[ItemT]) -> Iterator[Iterator[ItemT]]:
    """Pieces of `TOGETHER` items, each to be used up before the next."""
    iterator = iter(items)
    while True:
        piece = islice(iterator, TOGETHER)
        try:
            first = next(piece)
        except StopIteration:
            return
        yield _with(first, piece)


def _with(first: ItemT, rest: Iterator[ItemT]) -> Iterator[ItemT]:
    yield first
    yield from rest

"""An offer built anew in Redis from the ledger, under the next epoch.

Everything is built beside what is there, under names that expire by themselves, and put in its place in one
step per bucket. So a crash at any point leaves an offer that is as closed as before, and the next attempt begins
afresh.
"""

from __future__ import annotations

import secrets
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar

import msgpack
import orjson
from redis import Redis
from sqlalchemy import Connection, Row, func, select, text, update

from gateway import keys, scripts
from gateway.errors import RecoveryError
from gateway.orders import holdings, tables
from gateway.orders.database import now_ms
from gateway.stock import shares

TOGETHER = 1000
"""Buyers or numbers written by one command."""
BUILT_FOR_S = 3600
"""How long something half built is kept for nobody."""
EPOCHS_FORGOTTEN = 16
"""So many epochs before the new one are looked for and deleted."""
PARTS = ("buyers", "freed", "retired", "operations")
RANGE_MIN = 100
"""Numbers in a row from which on a bucket keeps them as a range and not one by one,"""
RANGES_MAX = 24
"""but so many ranges at most, the largest."""

ItemT = TypeVar("ItemT")
_Range = tuple[int, int]
"""First and last of some numbers."""


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
    numbers = keys.bucket_numbers(row.buckets)
    there = [_there(client, row.id, bucket) for bucket in numbers]
    epoch: int = max(row.epoch, *(each.epoch for each in there)) + 1
    attempt = secrets.token_hex(8)
    built = {bucket: {part: keys.built(row.id, part, attempt, bucket) for part in PARTS} for bucket in numbers}

    units = array("q")
    buyers, held = _build_buyers(client, built, holdings.held_tickets(connection, row.id), units)
    left = row.stock - len(units)
    if left < 0:
        raise RecoveryError(
            f"the ledger holds {len(units)} units of {row.id} and allows {row.stock}: raise its stock by {-left}"
        )
    whole = _terms(row) | {
        "unit_cap": row.unit_cap,
        "sold_at_ms": _last_won_at_ms(connection, row.id),
        "may_return_at_ms": _may_return_at_ms(connection, row.id),
        "ended_at_ms": _ended_at_ms(row, max(each.ended_at_ms for each in there), now_ms(connection)),
    }
    for bucket, numbers_of_it in _divided(row, units, left, there[0].next_unit - 1):
        freed = _build_numbers(client, built[bucket]["freed"], iter(numbers_of_it.freed))
        retired = _build_numbers(client, built[bucket]["retired"], iter(numbers_of_it.retired))
        operations = 0 if bucket else _build_operations(connection, client, built[bucket]["operations"], row)
        fields = whole | numbers_of_it.fields(held[bucket])
        fields |= {"bucket": bucket, "unit_first": 1 if row.buckets == 1 else fields["next_unit"]}
        sizes = (buyers[bucket], freed, retired, operations)
        _put_in_place(client, row.id, bucket, epoch, built[bucket], sizes, fields, lease_ms)
    connection.execute(
        update(tables.offers).where(tables.offers.c.id == row.id).values(epoch=epoch, published_version=row.version)
    )
    connection.execute(
        update(tables.stock_operations)
        .where(tables.stock_operations.c.offer == row.id, tables.stock_operations.c.state == "pending")
        .values(epoch=epoch)
    )
    return epoch


def forget_before(client: Redis, offer: str, buckets: int, epoch: int) -> None:
    """Delete what earlier epochs have left, once the new one is committed.

    Raises:
        redis.RedisError: Redis cannot be reached; what is left is only in the way.
    """
    names = (keys.buyers, keys.freed, keys.retired, keys.operations, keys.transfers)
    earlier = range(max(keys.FIRST_EPOCH, epoch - EPOCHS_FORGOTTEN), epoch)
    for bucket in keys.bucket_numbers(buckets) if earlier else ():
        client.unlink(*(name(offer, each, bucket) for each in earlier for name in names))


class _There(NamedTuple):
    """What Redis has of a bucket, 0 for what it lacks."""

    epoch: int
    next_unit: int
    ended_at_ms: int


def _there(client: Redis, offer: str, bucket: int) -> _There:
    found: Any = client.hmget(keys.offer(offer, bucket), _There._fields)
    return _There(*(int(each or 0) for each in found))


def _ended_at_ms(row: Row[Any], before: int, now: int) -> int:
    return (before or min(now, row.ends_at_ms)) if row.state == "terminated" else 0


class _Numbers(NamedTuple):
    """The unit numbers of a bucket that nobody holds; `next_unit` to `unit_top` and `ranges` were never issued."""

    freed: array[int]
    next_unit: int
    unit_top: int
    ranges: list[_Range]
    retired: array[int]
    retired_ranges: list[_Range]

    def fields(self, held: int) -> dict[str, Any]:
        """What the bucket's hash says of them; `held`: units that its shoppers hold."""
        fresh = [(self.next_unit, self.unit_top), *self.ranges]
        left = len(self.freed) + sum(last - first + 1 for first, last in fresh)
        return {
            "stock": left + held,
            "left": left,
            "next_unit": self.next_unit,
            "unit_top": self.unit_top,
            "ranges": _text(self.ranges),
            "retired_ranges": _text(self.retired_ranges),
            "freed": len(self.freed),
        }


def _divided(row: Row[Any], units: array[int], left: int, issued: int) -> list[tuple[int, _Numbers]]:
    """Divide what is left over the buckets: those numbers first that were issued before.

    Args:
        row: the offer's row.
        units: the numbers that are held.
        left: how many may be sold.
        issued: the highest number that Redis knows to be issued, of an offer with one bucket.
    """
    # What Redis knows to be issued stays so: a lost winner's receipt may name it.
    top = max([0, *units, min(issued, row.unit_cap)]) if row.buckets == 1 else row.unit_cap
    singles = array("q")
    ranges: list[_Range] = [(top + 1, row.unit_cap)]
    gaps = _gaps(units, top)
    if row.buckets > 1:
        # A bucket keeps few ranges: each of its sales reads them.
        large = [gap for gap in gaps if gap[1] - gap[0] + 1 >= RANGE_MIN]
        ranges = sorted(sorted(large, key=lambda gap: gap[0] - gap[1])[:RANGES_MAX])
    for first, last in gaps:
        if (first, last) not in ranges:
            singles.extend(range(first, last + 1))
    found: list[tuple[int, _Numbers]] = []
    for bucket, _, share in shares(row.buckets, left):
        freed, singles = singles[:share], singles[share:]
        mine, ranges = _cut(ranges, share - len(freed))
        first, last = mine[0] if mine else (top + 1, top)
        found.append((bucket, _Numbers(freed, first, last, mine[1:], array("q"), [])))
    bucket, numbers = found[0]
    found[0] = bucket, numbers._replace(retired=singles, retired_ranges=ranges if row.buckets > 1 else [])
    return found


def _cut(ranges: list[_Range], count: int) -> tuple[list[_Range], list[_Range]]:
    """The first so many numbers of some ranges, and the others."""
    taken, kept = [], []
    for first, last in ranges:
        size = min(count, last - first + 1)
        count -= size
        if size > 0:
            taken.append((first, first + size - 1))
        if first + size <= last:
            kept.append((first + size, last))
    return taken, kept


def _text(ranges: Iterable[_Range]) -> str:
    return ",".join(f"{first}-{last}" for first, last in ranges)


def _terms(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "buckets": row.buckets,
        "version": row.version,
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
        "dry_until_ms": 0,
        "dry_left": 0,
    }


def _build_buyers(
    client: Redis, built: Mapping[int, Mapping[str, str]], held: Iterator[holdings.Holding], units: array[int]
) -> tuple[Counter[int], Counter[int]]:
    """Write every buyer's record and note the units; how many buyers and how many units each bucket has."""
    buyers: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for page in _pages(groupby(held, key=lambda holding: (holding.bucket, holding.shopper))):
        records: dict[int, dict[Any, Any]] = defaultdict(dict)
        for (bucket, shopper), holdings_of_it in page:
            found = [each.ticket for each in holdings_of_it]
            records[bucket][shopper] = "|".join(ticket.text for ticket in found)
            for ticket in found:
                units.extend(ticket.units)
                sizes[bucket] += ticket.quantity
        pipeline = client.pipeline(transaction=False)
        for bucket, mapping in records.items():
            pipeline.hset(built[bucket]["buyers"], mapping=mapping)
            pipeline.expire(built[bucket]["buyers"], BUILT_FOR_S)
            buyers[bucket] += len(mapping)
        pipeline.execute()
    return buyers, sizes


def _gaps(units: array[int], top: int) -> list[_Range]:
    """The numbers from 1 to `top` that nobody holds, in order."""
    held = sorted(unit for unit in units if unit <= top)
    edges = zip([0, *held], [*held, top + 1], strict=True)
    return [(before + 1, after - 1) for before, after in edges if before + 1 < after]


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
    """Every operation that is in the ledger's stock: applied ones, and raises that Redis has not confirmed.

    With several buckets the first one says of all what each has added; with one, what the stock was after it.
    """
    operations = tables.stock_operations
    found = connection.execute(
        select(operations.c.operation_id, operations.c.stock, operations.c.delta).where(
            operations.c.offer == row.id,
            (operations.c.state == "applied") | ((operations.c.state == "pending") & (operations.c.delta > 0)),
        )
    ).all()
    if found:
        pipeline = client.pipeline(transaction=False)
        results = {
            each.operation_id: each.delta if row.buckets > 1 else row.stock if each.stock is None else each.stock
            for each in found
        }
        pipeline.hset(key, mapping=results)
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
    bucket: int,
    epoch: int,
    built: Mapping[str, str],
    sizes: tuple[int, int, int, int],
    fields: dict[str, Any],
    lease_ms: int,
) -> None:
    # Numbers travel as text: Lua would print large ones in exponent form.
    flat = [part for name, value in fields.items() for part in (name, str(value))]
    word, *_ = scripts.load("restore_offer").call(
        client,
        {
            "offer": keys.offer(offer, bucket),
            "offers": keys.offers(keys.shard_of(offer, bucket)),
            "buyers": keys.buyers(offer, epoch, bucket),
            "freed": keys.freed(offer, epoch, bucket),
            "retired": keys.retired(offer, epoch, bucket),
            "operations": keys.operations(offer, epoch, bucket),
        }
        | {f"built_{part}": key for part, key in built.items()},
        {
            "id": offer,
            "epoch": epoch,
            "lease_ms": lease_ms,
            "sizes": msgpack.packb(sizes),
            "fields": msgpack.packb(flat, use_bin_type=False),
            "bucket": bucket,
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

"""Whether Redis has all of an offer that the ledger knows.

Redis loses data from the end of its history, never from the middle. So it is enough to count, and to ask for
the latest of everything that is done: the newest orders must be there, the newest releases must have happened,
the newest stock operations must have been applied. Each bucket may live on another server, so each is asked for
its own; what is on its way between two of them counts to the offer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from redis import Redis
from sqlalchemy import Connection, Row, select

from gateway import keys
from gateway.buckets import FIELDS as BUCKET_FIELDS
from gateway.buckets import Bucket, on_the_way, ranges_of, read_bucket
from gateway.errors import MessageError
from gateway.orders import dead_letters, holdings, tables
from gateway.orders.message import Entry, Ticket, tickets_of

NEWEST = 1000
"""So many of the newest are asked for: more than one transaction writes."""
NEWEST_OPERATIONS = 20
RECORDS_TOGETHER = 1000
"""Buyers' records asked for in one command."""

NUMBERS = ("buckets", "next_unit", "unit_top", "freed")
"""Further numbers of a bucket; those that every bucket has from its creation on."""


class Claim(NamedTuple):
    """Units of an order that Redis may hold though the ledger does not, or no longer."""

    bucket: int
    shopper: bytes
    order_no: str
    units: tuple[int, ...]


class Operation(NamedTuple):
    """A stock operation of the ledger."""

    id: str
    delta: int
    state: str


class _Seen(NamedTuple):
    """What Redis has of one bucket at one moment.

    `ranges`: further numbers that were never issued. `claimed`: units of claims that are on tickets. `applied`:
    what each of the operations has added to the bucket; operations that it does not know are missing.
    """

    bucket: Bucket
    next_unit: int
    unit_top: int
    freed: int
    ranges: tuple[tuple[int, int], ...]
    freed_there: int
    claimed: list[int]
    applied: dict[str, int]

    @property
    def fresh(self) -> list[tuple[int, int]]:
        """First and last of the numbers that were never issued."""
        first = [(self.next_unit, self.unit_top)] if self.next_unit <= self.unit_top else []
        return [*first, *self.ranges]


def difference(connection: Connection, client: Redis, row: Row[Any], unsettled: Iterable[Entry]) -> str | None:
    """In which way Redis and the ledger differ on an offer, if they do.

    Args:
        connection: a transaction that holds the offer's row (`holdings.locked`).
        client: Redis, on runs on which no bucket of the offer sells.
        row: the offer's row.
        unsettled: the offer's entries that may not be settled.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    # The ledger first: it only grows from what Redis has issued before.
    numbers = keys.bucket_numbers(row.buckets)
    held = holdings.held(connection, row.id)
    newest = [claim for bucket in numbers for claim in _newest_orders(connection, row, bucket)]
    gone = _newest_releases(connection, row)
    operations = _operations(connection, row.id)
    claims = _claims(connection, client, row, unsettled)

    found = [_see(client, row, bucket, claims, operations) for bucket in numbers]
    seen = [each for each in found if isinstance(each, _Seen)]
    if len(seen) < len(found):
        return next(each for each in found if isinstance(each, str))
    moving = sum(each.size for each in on_the_way([each.bucket for each in seen]))
    stock = sum(each.bucket.stock for each in seen) + moving
    left = sum(each.bucket.left for each in seen) + moving
    claimed = [unit for each in seen for unit in each.claimed]
    return (
        _by_terms(row, seen)
        or _by_stock(row, seen, stock, operations)
        or _by_numbers(connection, row, seen, max([held.top, *claimed]), claimed)
        or _by_count(held.units + len(claimed), stock - left)
        or next(filter(None, map(_by_itself, seen)), None)
        or next(filter(None, (_first_missing(client, row, bucket, newest) for bucket in numbers)), None)
        or next(filter(None, (_first_not_released(client, row, bucket, gone) for bucket in numbers)), None)
    )


def _newest_orders(connection: Connection, row: Row[Any], bucket: int) -> list[Claim]:
    orders = tables.orders
    newest = (
        select(orders.c.order_no, orders.c.shopper)
        .where(orders.c.offer == row.id, orders.c.status.in_(tables.ACTIVE_STATES))
        .order_by(orders.c.created_at_ms.desc(), orders.c.order_no)
        .limit(NEWEST)
    )
    if row.buckets > 1:
        newest = newest.where(orders.c.bucket == bucket)
    return [Claim(bucket, each.shopper.encode(), each.order_no, ()) for each in connection.execute(newest)]


def _newest_releases(connection: Connection, row: Row[Any]) -> list[Claim]:
    releases = tables.unit_releases
    rows = connection.execute(
        select(releases.c.order_no, releases.c.shopper, releases.c.units)
        .where(releases.c.offer == row.id, releases.c.done_at_ms.is_not(None))
        .order_by(releases.c.done_at_ms.desc(), releases.c.id.desc())
        .limit(NEWEST * row.buckets)
    ).all()
    return _going_back(connection, row, rows)


def _going_back(connection: Connection, row: Row[Any], rows: Sequence[Any]) -> list[Claim]:
    """Claims of some releases."""
    buckets = holdings.buckets_of(connection, {each.order_no for each in rows}) if row.buckets > 1 else {}
    return [
        Claim(buckets.get(each.order_no, 0), each.shopper.encode(), each.order_no, tuple(each.units))
        for each in rows
    ]


def _operations(connection: Connection, offer: str) -> list[Operation]:
    """Every pending stock operation and the newest applied ones."""
    operations = tables.stock_operations
    of_offer = select(operations.c.operation_id, operations.c.delta, operations.c.state).where(
        operations.c.offer == offer
    )
    pending = of_offer.where(operations.c.state == "pending")
    applied = (
        of_offer.where(operations.c.state == "applied")
        .order_by(operations.c.created_at_ms.desc(), operations.c.operation_id)
        .limit(NEWEST_OPERATIONS)
    )
    return [Operation(*each) for statement in (pending, applied) for each in connection.execute(statement)]


def _claims(connection: Connection, client: Redis, row: Row[Any], unsettled: Iterable[Entry]) -> list[Claim]:
    """What is on its way to the ledger, what could not be written, and what is on its way back."""
    claims: dict[str, Claim] = {}
    winners = [
        (entry.bucket, each.shopper, each.ticket)
        for entry in unsettled
        for each in entry.winners
        if entry.epoch == row.epoch
    ]
    for letter in dead_letters.of_offer(client, row.id, row.buckets):
        winners.append((keys.home_bucket(letter.shopper, row.buckets), letter.shopper, letter.ticket))
    for bucket, shopper, text in winners:
        try:
            ticket = Ticket.parse(text)
        except MessageError:
            continue
        claims[ticket.order_no] = Claim(bucket, shopper, ticket.order_no, ticket.units)
    for order_no in holdings.known(connection, claims):
        del claims[order_no]
    return [*claims.values(), *_going_back(connection, row, holdings.waiting_releases(connection, row.id))]


def _see(
    client: Redis, row: Row[Any], bucket: int, every_claim: Sequence[Claim], operations: Sequence[Operation]
) -> _Seen | str:
    """A bucket with all that is asked for, at one moment; or why it cannot be read."""
    claims = [claim for claim in every_claim if claim.bucket == bucket]
    pipeline = client.pipeline(transaction=True)
    pipeline.hmget(keys.offer(row.id, bucket), [*BUCKET_FIELDS, *NUMBERS, "ranges"])
    pipeline.hgetall(keys.transfers(row.id, row.epoch, bucket))
    pipeline.zcard(keys.freed(row.id, row.epoch, bucket))
    pages = [claims[start : start + RECORDS_TOGETHER] for start in range(0, len(claims), RECORDS_TOGETHER)]
    for page in pages:
        pipeline.hmget(keys.buyers(row.id, row.epoch, bucket), [claim.shopper for claim in page])
    ids = [each.id for each in operations]
    if ids:
        pipeline.hmget(keys.operations(row.id, row.epoch, bucket), ids)
    fields, transfers, freed_there, *rest = pipeline.execute()
    known = rest.pop() if ids else []
    records = [record for page in rest for record in page]
    own, (buckets, *numbers), ranges = (
        fields[: len(BUCKET_FIELDS)],
        fields[len(BUCKET_FIELDS) : -1],
        fields[-1] or b"",
    )
    if fields[0] is None:
        return "Redis does not have it" if row.buckets == 1 else f"Redis does not have its bucket {bucket}"
    found = read_bucket(bucket, own, transfers)
    needed = dict(zip(BUCKET_FIELDS, own, strict=True))
    if found is None or None in numbers or None in (needed[name] for name in ("version", "left", "unit_cap")):
        return "Redis has only a part of it"
    if int(buckets or 1) != row.buckets:
        return f"Redis has it in {int(buckets or 1)} buckets, the ledger in {row.buckets}"
    applied = {
        each.id: each.delta if row.buckets == 1 else int(amount.partition(b":")[0])
        for each, amount in zip(operations, known, strict=True)
        if amount is not None
    }
    claimed = [unit for claim, record in zip(claims, records, strict=True) for unit in _still_there(record, claim)]
    next_unit, unit_top, freed = map(int, numbers)
    fresh = tuple(ranges_of(ranges.decode()))
    return _Seen(found, next_unit, unit_top, freed, fresh, freed_there, claimed, applied)


def _by_terms(row: Row[Any], seen: Sequence[_Seen]) -> str | None:
    for each in seen:
        if each.bucket.epoch != row.epoch:
            return f"Redis has epoch {each.bucket.epoch}, the ledger epoch {row.epoch}"
        if not row.published_version <= each.bucket.version <= row.version:
            return f"Redis has version {each.bucket.version}, the ledger version {row.published_version}"
        top = max(each.bucket.unit_cap, each.unit_top)
        if top > row.unit_cap:
            return f"Redis allows unit {top}, the ledger {row.unit_cap}"
    return None


def _by_stock(row: Row[Any], seen: Sequence[_Seen], found: int, operations: Sequence[Operation]) -> str | None:
    stock = row.stock
    for each in operations:
        applied = sum(bucket.applied.get(each.id, 0) for bucket in seen)
        if each.state == "applied":
            if applied != each.delta or not any(each.id in bucket.applied for bucket in seen):
                return f"Redis does not know stock operation {each.id} of the ledger"
        else:
            # A raise is in the ledger before it is in Redis, a cut after it; it may be in some buckets only.
            stock += applied - max(each.delta, 0)
    return None if found == stock else f"Redis has a stock of {found}, the ledger of {stock}"


def _by_numbers(
    connection: Connection, row: Row[Any], seen: Sequence[_Seen], top: int, claimed: Sequence[int]
) -> str | None:
    if row.buckets == 1 and seen[0].next_unit <= top:
        return f"the ledger holds unit {top}, and Redis would issue unit {seen[0].next_unit} next"
    if row.buckets > 1:
        ranges = [fresh for each in seen for fresh in each.fresh]
        unit = holdings.first_held(connection, row.id, ranges) or next(
            (unit for unit in claimed if any(first <= unit <= last for first, last in ranges)), None
        )
        if unit is not None:
            return f"the ledger holds unit {unit}, and Redis would issue it again"
    return None


def _by_count(held: int, found: int) -> str | None:
    return None if held == found else f"the ledger holds {held} units, Redis {found}"


def _by_itself(seen: _Seen) -> str | None:
    fresh = sum(last - first + 1 for first, last in seen.fresh)
    if seen.freed != seen.freed_there or seen.bucket.left != fresh + seen.freed:
        return "Redis contradicts itself about what is left"
    return None


def _first_missing(client: Redis, row: Row[Any], bucket: int, newest: Sequence[Claim]) -> str | None:
    """Name an order of a bucket that its buyer's record lacks, if there is one."""
    for claim, record in _records(client, row, bucket, newest):
        if not any(text.startswith(f"{claim.order_no},".encode()) for text in (record or b"").split(b"|")):
            return f"Redis does not know order {claim.order_no} of the ledger"
    return None


def _first_not_released(client: Redis, row: Row[Any], bucket: int, gone: Sequence[Claim]) -> str | None:
    """Name an order of a bucket that still has units in Redis which it has given back, if there is one."""
    for claim, record in _records(client, row, bucket, gone):
        if _still_there(record, claim):
            return f"Redis does not know that order {claim.order_no} has given back its units"
    return None


def _records(
    client: Redis, row: Row[Any], bucket: int, every_claim: Sequence[Claim]
) -> Iterator[tuple[Claim, bytes | None]]:
    """The claims of a bucket, each with its buyer's record."""
    claims = [claim for claim in every_claim if claim.bucket == bucket]
    for start in range(0, len(claims), RECORDS_TOGETHER):
        page = claims[start : start + RECORDS_TOGETHER]
        records: Any = client.hmget(keys.buyers(row.id, row.epoch, bucket), [claim.shopper for claim in page])
        yield from zip(page, records, strict=True)


def _still_there(record: bytes | None, claim: Claim) -> list[int]:
    """Those of the claim's units that a buyer's record holds."""
    try:
        held = [ticket.units for ticket in tickets_of(record) if ticket.order_no == claim.order_no]
    except MessageError:
        return []
    return [unit for units in held for unit in units if unit in claim.units]

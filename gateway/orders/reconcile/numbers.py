"""An offer's buckets in Redis against themselves and the ledger's row: terms, stock, operations, releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis
from sqlalchemy import Connection, Row, false, func, select, true

from gateway import keys
from gateway.buckets import FIELDS as BUCKET_FIELDS
from gateway.buckets import Bucket, Transfer, on_the_way, ranges_of, read_bucket
from gateway.orders import holdings, tables
from gateway.orders.database import now_ms
from gateway.orders.reconcile.breaches import Breach

WAITS_MS = 10_000
"""How long a release or a stock operation may wait for Redis before it is named."""
NUMBERS = ("epoch", "version", "stock", "left", "next_unit", "unit_top", "unit_cap", "freed", "sequence")
TERMS = ("state", "starts_at_ms", "ends_at_ms", "price", "limit", "pay_within_ms")


@dataclass(frozen=True, slots=True)
class Seen:
    """What Redis says of a bucket at one moment.

    `fresh` and `retired`: first and last of numbers that were never issued, and of those off sale. `freed_count`:
    how many numbers the freed ones really are.
    """

    bucket: Bucket
    numbers: dict[str, int]
    fresh: list[tuple[int, int]]
    retired: list[tuple[int, int]]
    terms: dict[str, str]
    card: Any
    freed_count: int


def held(seen: Sequence[Seen]) -> int:
    """Units that shoppers hold, by the numbers of all buckets."""
    return sum(each.numbers["stock"] - each.numbers["left"] for each in seen)


def moving(seen: Sequence[Seen]) -> list[Transfer]:
    """Transfers whose units are in no bucket."""
    return on_the_way([each.bucket for each in seen])


def see(client: Redis, offer: str, buckets: int) -> list[Seen] | Breach:
    """What Redis says of every bucket of an offer, or why one says nothing that can be read.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    found = []
    for bucket in keys.bucket_numbers(buckets):
        seen = _see(client, offer, bucket)
        if isinstance(seen, Breach):
            return seen
        found.append(seen)
    return found


def _see(client: Redis, offer: str, bucket: int) -> Seen | Breach:
    key = keys.offer(offer, bucket)
    epoch: Any = client.hget(key, "epoch")
    if not client.exists(key):
        return Breach("offer_missing", f"Redis does not have {_part(bucket)}, which was on sale before", offer)
    try:
        pipeline = client.pipeline(transaction=True)
        pipeline.hgetall(key)
        pipeline.zcard(keys.freed(offer, int(epoch), bucket))
        pipeline.hgetall(keys.transfers(offer, int(epoch), bucket))
        raw, freed_count, transfers = pipeline.execute()
        numbers = {name: int(raw[name.encode()]) for name in NUMBERS}
        terms = {name: raw[name.encode()].decode() for name in TERMS}
        own = read_bucket(bucket, [raw.get(name.encode()) for name in BUCKET_FIELDS], transfers)
        card = orjson.loads(raw[b"card"])
        fresh, retired = (list(ranges_of(raw.get(name, b"").decode())) for name in (b"ranges", b"retired_ranges"))
        if own is None:
            raise KeyError("run_id")
    except (KeyError, ValueError, TypeError) as error:
        says = f"Redis has only a part of {_part(bucket)}, or cannot read it: {error}"
        return Breach("offer_incomplete", says, offer)
    if numbers["next_unit"] <= numbers["unit_top"]:
        fresh.insert(0, (numbers["next_unit"], numbers["unit_top"]))
    return Seen(own, numbers, fresh, retired, terms, card, freed_count)


def _part(bucket: int) -> str:
    return f"bucket {bucket} of the offer" if bucket else "the offer"


def check_itself(seen: Seen, offer: str) -> Iterator[Breach]:
    """Where a bucket in Redis contradicts itself."""
    number = seen.numbers
    issuable = sum(last - first + 1 for first, last in seen.fresh)
    if number["freed"] != seen.freed_count:
        says = f"Redis counts {number['freed']} freed units and has {seen.freed_count}"
        yield Breach("freed_differs", says, offer)
    if number["left"] != issuable + seen.freed_count:
        says = (
            f"Redis has {number['left']} units left, but {issuable} never issued and {seen.freed_count} freed ones"
        )
        yield Breach("left_differs", says, offer)


def check_row(seen: Seen, row: Row[Any], run_id: str) -> Iterator[Breach]:
    """Where a bucket in Redis differs from the ledger's row; `run_id`: its server's."""
    number, offer = seen.numbers, row.id
    if seen.bucket.run_id != run_id:
        yield Breach("not_approved", "the offer may not sell on this Redis yet", offer)
    if number["epoch"] != row.epoch:
        says = f"Redis has epoch {number['epoch']}, the ledger epoch {row.epoch}"
        yield Breach("epoch_differs", says, offer)
    if not row.published_version <= number["version"] <= row.version:
        says = f"Redis has version {number['version']}, the ledger version {row.published_version}"
        yield Breach("version_differs", says, offer)
    elif number["version"] == row.version:
        differing = sorted(name for name, value in _terms(row).items() if seen.terms.get(name, seen.card) != value)
        if differing:
            says = f"Redis has the ledger's version with another {', '.join(differing)}"
            yield Breach("terms_differ", says, offer)
    top = max(number["unit_cap"], number["unit_top"])
    if top > row.unit_cap:
        yield Breach("unit_cap_differs", f"Redis allows unit {top}, the ledger {row.unit_cap}", offer, unit=top)


def check_transfers(seen: Sequence[Seen], offer: str) -> Iterator[Breach]:
    """Transfers that nobody brings to their end."""
    for each in moving(seen):
        says = f"{each.size} units are on their way from bucket {each.source} to bucket {each.dest}"
        yield Breach("transfer_waits", says, offer, entry=f"{each.source}-{each.dest}:{each.number}")


def _terms(row: Row[Any]) -> dict[str, Any]:
    return {
        "state": row.state,
        "starts_at_ms": str(row.starts_at_ms),
        "ends_at_ms": str(row.ends_at_ms),
        "price": str(row.price),
        "limit": str(row.limit_per_shopper),
        "pay_within_ms": str(row.pay_within_ms),
        "card": orjson.loads(row.card),
    }


def check_stock(connection: Connection, client: Redis, seen: Sequence[Seen], row: Row[Any]) -> Iterator[Breach]:
    """Where stock and stock operations differ, and what waits for Redis too long."""
    table, offer, now = tables.stock_operations, row.id, now_ms(connection)
    operations = connection.execute(
        select(table).where(table.c.offer == offer, table.c.state.in_(("pending", "applied")))
    ).all()
    known = [_operations(client, offer, each) for each in seen]
    stock = row.stock
    for each in operations:
        there = [found[each.operation_id] for found in known if each.operation_id in found]
        # One bucket says what the stock was after the operation, several say what each has added.
        applied = each.delta if there and len(seen) == 1 else sum(there)
        if each.state == "applied" and (not there or applied != each.delta):
            says = f"Redis does not know stock operation {each.operation_id}, which the ledger has as applied"
            yield Breach("operation_missing", says, offer, entry=each.operation_id)
        if each.state == "pending":
            # A raise is in the ledger before it is in Redis, a cut after it.
            stock += applied - max(each.delta, 0)
            if now - each.created_at_ms > WAITS_MS:
                says = f"stock operation {each.operation_id} waits for {(now - each.created_at_ms) // 1000} s"
                asks = "start the sidecar, which finishes it"
                yield Breach("operation_waits", says, offer, entry=each.operation_id, asks=asks)
    there_now = sum(each.numbers["stock"] for each in seen) + sum(each.size for each in moving(seen))
    if there_now != stock:
        says = f"Redis has a stock of {there_now}, the ledger of {stock}"
        yield Breach("stock_differs", says, offer)
    for each in holdings.waiting_releases(connection, offer):
        if now - each.requested_at_ms > WAITS_MS:
            says = f"units {_listed(each.units)} of order {each.order_no} wait to be given back"
            yield Breach("release_waits", says, offer, each.units[0] if each.units else None, each.order_no)


def _operations(client: Redis, offer: str, seen: Seen) -> dict[str, int]:
    """Operation id → what a bucket has noted of it."""
    found: Any = client.hgetall(keys.operations(offer, seen.numbers["epoch"], seen.bucket.number))
    return {name.decode(): int(amount.partition(b":")[0]) for name, amount in found.items()}


def check_ledger(connection: Connection, row: Row[Any]) -> Iterator[Breach]:
    """Where the ledger contradicts itself about an offer; Redis is not asked."""
    orders, units = tables.orders, tables.order_units
    held = holdings.held(connection, row.id)
    if held.units > row.stock:
        says = f"the ledger holds {held.units} units and allows {row.stock}"
        yield Breach("ledger_above_stock", says, row.id, asks=f"raise the stock by {held.units - row.stock}")
    active = func.count(units.c.unit).filter(units.c.active == true())
    given_back = func.count(units.c.unit).filter(units.c.released == true())
    kept = func.count(units.c.unit).filter((units.c.active == false()) & (units.c.released == false()))
    over = orders.c.status.in_(("expired", "cancelled", "refunded"))
    wrong = connection.execute(
        select(orders.c.order_no, orders.c.status, orders.c.quantity, active, given_back, kept)
        .outerjoin(units, units.c.order_no == orders.c.order_no)
        .where(orders.c.offer == row.id)
        .group_by(orders.c.order_no, orders.c.status, orders.c.quantity)
        .having(
            (func.count(units.c.unit) != orders.c.quantity)
            | (over & (active > 0))
            | (orders.c.status.in_(("expired", "cancelled")) & (given_back != orders.c.quantity))
            | ((orders.c.status == "pending") & (active != orders.c.quantity))
            | (~over & (active == 0))
        )
    )
    for order_no, status, quantity, is_active, is_back, is_kept in wrong:
        says = (
            f"the order is {status} with {quantity} units, and the ledger has {is_active} held, "
            f"{is_back} given back and {is_kept} refunded ones"
        )
        asks = "look at the order's history and correct its units in the database"
        yield Breach("order_inconsistent", says, row.id, order_no=order_no, asks=asks)


def _listed(units: list[int]) -> str:
    return ", ".join(map(str, units))

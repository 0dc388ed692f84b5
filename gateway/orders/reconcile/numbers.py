"""An offer's hash in Redis against itself and against the ledger's row: terms, stock, operations, releases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis
from sqlalchemy import Connection, Row, false, func, select, true

from gateway import keys
from gateway.orders import holdings, tables
from gateway.orders.database import now_ms
from gateway.orders.reconcile.breaches import Breach

WAITS_MS = 10_000
"""How long a release or a stock operation may wait for Redis before it is named."""
NUMBERS = ("epoch", "version", "stock", "left", "next_unit", "unit_top", "unit_cap", "freed", "sequence")
TERMS = ("state", "starts_at_ms", "ends_at_ms", "price", "limit", "pay_within_ms")


@dataclass(frozen=True, slots=True)
class Seen:
    """What Redis says of an offer at one moment. `freed_count`: how many numbers the freed ones really are."""

    run_id: str
    numbers: dict[str, int]
    terms: dict[str, str]
    card: Any
    freed_count: int

    @property
    def held(self) -> int:
        """Units that shoppers hold."""
        return self.numbers["stock"] - self.numbers["left"]


def see(client: Redis, offer: str) -> Seen | Breach:
    """What Redis says of an offer, or why it says nothing that can be read.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    raw: Any = client.hgetall(keys.offer(offer))
    if not raw:
        return Breach("offer_missing", "Redis does not have the offer, which was on sale before", offer)
    try:
        numbers = {name: int(raw[name.encode()]) for name in NUMBERS}
        terms = {name: raw[name.encode()].decode() for name in TERMS}
        run_id, card = raw[b"run_id"].decode(), orjson.loads(raw[b"card"])
    except (KeyError, ValueError) as error:
        return Breach("offer_incomplete", f"Redis has only a part of the offer, or cannot read it: {error}", offer)
    pipeline = client.pipeline(transaction=True)
    pipeline.zcard(keys.freed(offer, numbers["epoch"]))
    pipeline.hmget(keys.offer(offer), NUMBERS)
    freed_count, again = pipeline.execute()
    if None in again:
        return Breach("offer_incomplete", "Redis has lost a part of the offer just now", offer)
    return Seen(run_id, dict(zip(NUMBERS, map(int, again), strict=True)), terms, card, freed_count)


def check_itself(seen: Seen, offer: str) -> Iterator[Breach]:
    """Where an offer in Redis contradicts itself."""
    number = seen.numbers
    issuable = number["unit_top"] - number["next_unit"] + 1
    if number["freed"] != seen.freed_count:
        says = f"Redis counts {number['freed']} freed units and has {seen.freed_count}"
        yield Breach("freed_differs", says, offer)
    if number["left"] != issuable + seen.freed_count:
        says = (
            f"Redis has {number['left']} units left, but {issuable} never issued and {seen.freed_count} freed ones"
        )
        yield Breach("left_differs", says, offer)


def check_row(seen: Seen, row: Row[Any], run_id: str) -> Iterator[Breach]:
    """Where an offer in Redis differs from the ledger's row."""
    number, offer = seen.numbers, row.id
    if seen.run_id != run_id:
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


def check_stock(connection: Connection, client: Redis, seen: Seen, row: Row[Any]) -> Iterator[Breach]:
    """Where stock and stock operations differ, and what waits for Redis too long."""
    table, offer, now = tables.stock_operations, row.id, now_ms(connection)
    operations = connection.execute(
        select(table).where(table.c.offer == offer, table.c.state.in_(("pending", "applied")))
    ).all()
    applied: Any = client.hkeys(keys.operations(offer, seen.numbers["epoch"]))
    known = {name.decode() for name in applied}
    stock = row.stock
    for each in operations:
        there = each.operation_id in known
        if each.state == "applied" and not there:
            says = f"Redis does not know stock operation {each.operation_id}, which the ledger has as applied"
            yield Breach("operation_missing", says, offer, entry=each.operation_id)
        if each.state == "pending":
            # A raise is in the ledger before it is in Redis, a cut after it.
            stock -= abs(each.delta) if there != (each.delta > 0) else 0
            if now - each.created_at_ms > WAITS_MS:
                says = f"stock operation {each.operation_id} waits for {(now - each.created_at_ms) // 1000} s"
                asks = "start the sidecar, which finishes it"
                yield Breach("operation_waits", says, offer, entry=each.operation_id, asks=asks)
    if seen.numbers["stock"] != stock:
        says = f"Redis has a stock of {seen.numbers['stock']}, the ledger of {stock}"
        yield Breach("stock_differs", says, offer)
    for each in holdings.waiting_releases(connection, offer):
        if now - each.requested_at_ms > WAITS_MS:
            says = f"units {_listed(each.units)} of order {each.order_no} wait to be given back"
            yield Breach("release_waits", says, offer, each.units[0] if each.units else None, each.order_no)


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

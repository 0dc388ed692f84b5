"""Whether Redis has all of an offer that the ledger knows.

Redis loses data from the end of its history, never from the middle. So it is enough to count, and to ask for
the latest of everything that is done: the newest orders must be there, the newest releases must have happened,
the newest stock operations must have been applied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from redis import Redis
from sqlalchemy import Connection, Row, select

from gateway import keys
from gateway.errors import MessageError
from gateway.orders import dead_letters, holdings, tables
from gateway.orders.message import Entry, Ticket, tickets_of

NEWEST = 1000
"""So many of the newest are asked for: more than one transaction writes."""
NEWEST_OPERATIONS = 20
RECORDS_TOGETHER = 1000
"""Buyers' records asked for in one command."""

FIELDS = ("epoch", "version", "stock", "left", "next_unit", "unit_top", "unit_cap", "freed")


class Claim(NamedTuple):
    """Units of an order that Redis may hold though the ledger does not, or no longer."""

    shopper: bytes
    order_no: str
    units: tuple[int, ...]


class Operation(NamedTuple):
    """A stock operation of the ledger."""

    id: str
    delta: int
    state: str


def difference(connection: Connection, client: Redis, row: Row[Any], unsettled: Iterable[Entry]) -> str | None:
    """In which way Redis and the ledger differ on an offer, if they do.

    Args:
        connection: a transaction that holds the offer's row (`holdings.locked`).
        client: Redis, on a run on which the offer does not sell.
        row: the offer's row.
        unsettled: the offer's entries that may not be settled.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    # The ledger first: it only grows from what Redis has issued before.
    held = holdings.held(connection, row.id)
    newest = _newest_orders(connection, row.id)
    gone = _newest_releases(connection, row.id)
    operations = _operations(connection, row.id)
    claims = _claims(connection, client, row, unsettled)

    fields, freed, records, applied = _redis(client, row, claims, operations)
    if None in fields:
        return "Redis does not have it" if fields[0] is None else "Redis has only a part of it"
    now = dict(zip(FIELDS, map(int, fields), strict=True))
    claimed = [unit for claim, record in zip(claims, records, strict=True) for unit in _still_there(record, claim)]
    return (
        _by_terms(row, now, operations, applied)
        or _by_numbers(now, freed, held.units + len(claimed), max([held.top, *claimed]))
        or _first_missing(client, row, newest)
        or _first_not_released(client, row, gone)
    )


def _newest_orders(connection: Connection, offer: str) -> list[Claim]:
    orders = tables.orders
    rows = connection.execute(
        select(orders.c.order_no, orders.c.shopper)
        .where(orders.c.offer == offer, orders.c.status.in_(tables.ACTIVE_STATES))
        .order_by(orders.c.created_at_ms.desc(), orders.c.order_no)
        .limit(NEWEST)
    )
    return [Claim(each.shopper.encode(), each.order_no, ()) for each in rows]


def _newest_releases(connection: Connection, offer: str) -> list[Claim]:
    releases = tables.unit_releases
    rows = connection.execute(
        select(releases.c.order_no, releases.c.shopper, releases.c.units)
        .where(releases.c.offer == offer, releases.c.done_at_ms.is_not(None))
        .order_by(releases.c.done_at_ms.desc(), releases.c.id.desc())
        .limit(NEWEST)
    )
    return [Claim(each.shopper.encode(), each.order_no, tuple(each.units)) for each in rows]


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
        (each.shopper, each.ticket) for entry in unsettled for each in entry.winners if entry.epoch == row.epoch
    ]
    for letter in dead_letters.of_offer(client, row.id):
        winners.append((letter.shopper, letter.ticket))
    for shopper, text in winners:
        try:
            ticket = Ticket.parse(text)
        except MessageError:
            continue
        claims[ticket.order_no] = Claim(shopper, ticket.order_no, ticket.units)
    for order_no in holdings.known(connection, claims):
        del claims[order_no]
    going_back = [
        Claim(each.shopper.encode(), each.order_no, tuple(each.units))
        for each in holdings.waiting_releases(connection, row.id)
    ]
    return [*claims.values(), *going_back]


def _redis(
    client: Redis, row: Row[Any], claims: Sequence[Claim], operations: Sequence[Operation]
) -> tuple[list[Any], int, list[bytes | None], dict[str, bool]]:
    """The offer's fields, its freed numbers, the claims' records and which operations it knows, at one moment."""
    buyers = keys.buyers(row.id, row.epoch)
    pipeline = client.pipeline(transaction=True)
    pipeline.hmget(keys.offer(row.id), FIELDS)
    pipeline.zcard(keys.freed(row.id, row.epoch))
    pages = [claims[start : start + RECORDS_TOGETHER] for start in range(0, len(claims), RECORDS_TOGETHER)]
    for page in pages:
        pipeline.hmget(buyers, [claim.shopper for claim in page])
    ids = [each.id for each in operations]
    if ids:
        pipeline.hmget(keys.operations(row.id, row.epoch), ids)
    fields, freed, *rest = pipeline.execute()
    known = rest.pop() if ids else []
    records = [record for page in rest for record in page]
    return fields, freed, records, {each: found is not None for each, found in zip(ids, known, strict=True)}


def _by_terms(
    row: Row[Any], now: dict[str, int], operations: Sequence[Operation], applied: dict[str, bool]
) -> str | None:
    if now["epoch"] != row.epoch:
        return f"Redis has epoch {now['epoch']}, the ledger epoch {row.epoch}"
    if not row.published_version <= now["version"] <= row.version:
        return f"Redis has version {now['version']}, the ledger version {row.published_version}"
    stock = row.stock
    for each in operations:
        if each.state == "applied":
            if not applied[each.id]:
                return f"Redis does not know stock operation {each.id} of the ledger"
        # A raise is in the ledger before it is in Redis, a cut after it.
        elif applied[each.id] != (each.delta > 0):
            stock -= abs(each.delta)
    if now["stock"] != stock:
        return f"Redis has a stock of {now['stock']}, the ledger of {stock}"
    if max(now["unit_cap"], now["unit_top"]) > row.unit_cap:
        return f"Redis allows unit {max(now['unit_cap'], now['unit_top'])}, the ledger {row.unit_cap}"
    return None


def _by_numbers(now: dict[str, int], freed: int, held: int, top: int) -> str | None:
    if now["next_unit"] <= top:
        return f"the ledger holds unit {top}, and Redis would issue unit {now['next_unit']} next"
    if now["stock"] - now["left"] != held:
        return f"the ledger holds {held} units, Redis {now['stock'] - now['left']}"
    if now["freed"] != freed or now["left"] != now["unit_top"] - now["next_unit"] + 1 + freed:
        return "Redis contradicts itself about what is left"
    return None


def _first_missing(client: Redis, row: Row[Any], newest: Sequence[Claim]) -> str | None:
    """Name an order that its buyer's record lacks, if there is one."""
    if not newest:
        return None
    records: Any = client.hmget(keys.buyers(row.id, row.epoch), [each.shopper for each in newest])
    for each, record in zip(newest, records, strict=True):
        if not any(text.startswith(f"{each.order_no},".encode()) for text in (record or b"").split(b"|")):
            return f"Redis does not know order {each.order_no} of the ledger"
    return None


def _first_not_released(client: Redis, row: Row[Any], gone: Collection[Claim]) -> str | None:
    """Name an order that still has units in Redis which it has given back, if there is one."""
    if not gone:
        return None
    records: Any = client.hmget(keys.buyers(row.id, row.epoch), [claim.shopper for claim in gone])
    for claim, record in zip(gone, records, strict=True):
        if _still_there(record, claim):
            return f"Redis does not know that order {claim.order_no} has given back its units"
    return None


def _still_there(record: bytes | None, claim: Claim) -> list[int]:
    """Those of the claim's units that a buyer's record holds."""
    try:
        held = [ticket.units for ticket in tickets_of(record) if ticket.order_no == claim.order_no]
    except MessageError:
        return []
    return [unit for units in held for unit in units if unit in claim.units]

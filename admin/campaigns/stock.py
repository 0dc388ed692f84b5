"""Stock operations: a raise or cut of an offer on sale, applied once per operation id whatever crashes in between.

A raise is written to the ledger and then to Redis, so that Redis never sells what the ledger does not allow; a cut
goes to Redis first, which knows what is held, and then to the ledger. In between the operation is `pending`, and
whoever finds it so finishes it.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from admin.audit import service as audit
from admin.campaigns.models import StockInput, StockReply
from admin.campaigns.publishing import FAILURES, deferred, publish_campaign, steadily
from admin.campaigns.states import LIVE, require
from admin.campaigns.stored import Stored, load
from admin.catalog import service as catalog
from admin.errors import Conflict, Deferred, Invalid, Lost, NotFound, Unavailable
from admin.inputs import STOCK_MAX, check
from admin.resources import Resources
from gateway import offers as published
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers, stock_operations
from gateway.stock import adjust_stock

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """A change of an item's stock; `path` is the input field that asks for it."""

    id: str
    sku: str
    delta: int
    path: str


class SeedFirst(Exception):
    """Stock is to change on an offer that Redis has not got yet."""


def planned(resources: Resources, stored: Stored, items: list[tuple[int, Any]]) -> list[Operation]:
    """What brings published items, given with their positions, to the stock they name.

    The operations have ids that no operator can type.

    Raises:
        SeedFirst: Redis must get an offer before. Conflict: a cut would go below what is held.
    """
    operations = []
    nonce = secrets.token_hex(8)
    for position, item in items:
        offer = stored.offers.get(item.sku)
        if offer is None or item.stock == offer.stock:
            continue
        if not offer.seeded:
            raise SeedFirst
        if item.stock < offer.stock:
            found = published.read(resources.redis, offer.id)
            if found is not None and item.stock < found.held:
                raise Conflict(
                    f"shoppers hold {found.held} units of {offer.id}, so its stock cannot go lower",
                    code="below_held",
                    field=f"items.{position}.stock",
                    lowest=found.held,
                )
        path = f"items.{position}.stock"
        operations.append(Operation(f"change {nonce} {offer.id}", item.sku, item.stock - offer.stock, path))
    return operations


def change_stock(resources: Resources, code: str, sku: str, body: object, *, actor: str) -> StockReply:
    """Raise or cut the stock of an offer.

    Raises:
        NotFound: there is no such campaign or item.
        Invalid: the input is wrong, or the product has too little free stock.
        Conflict: the campaign is over; the id was used otherwise; or a cut went below what is held (`lowest`).
        Unavailable: nothing was stored. Deferred: it is stored and will be applied.
    """
    given = check(StockInput, body)
    if given.delta == 0:
        raise Invalid.one("delta", "too_small", "want a change")
    operation = Operation(given.operation_id, sku, given.delta, "delta")
    if not _record(resources, code, operation, actor):
        _seed_first(resources, code)
        if not _record(resources, code, operation, actor):
            raise Unavailable("the offer is not on sale yet; nothing was stored")
    return answer(finish(resources, operation.id))


def _record(resources: Resources, code: str, operation: Operation, actor: str) -> bool:
    """Write the operation down, unless it is there already; False when Redis must get the offer first."""
    try:
        with writing(resources.engine) as connection:
            stored = load(connection, code, lock=True)
            offer = stored.offers.get(operation.sku)
            item = next((each for each in stored.items if each.sku == operation.sku), None)
            if item is None:
                raise NotFound(f"{operation.sku} is not in campaign {code}")
            known = _find(connection, operation.id)
            if known is not None:
                _check_same(known, offer, operation)
                return True
            if not stored.readable().promotion.sold_by_gateway:
                text = "products of this type are sold from their own stock: change that of the product"
                raise Conflict(text, code="no_stock_of_its_own")
            require(stored.state, LIVE, "change its stock")
            if item.removed:
                raise Conflict(f"{operation.sku} is removed", code="item_removed", sku=operation.sku)
            if offer is None or not offer.seeded:
                return False
            record(connection, stored, [operation])
            audit.record(
                connection,
                actor,
                "stock",
                "campaign",
                code,
                before={"offer": offer.id, "stock": offer.stock},
                after={"offer": offer.id, "delta": operation.delta, "operation_id": operation.id},
            )
    except IntegrityError as error:
        raise _reused(operation.id) from error
    return True


def _seed_first(resources: Resources, code: str) -> None:
    try:
        publish_campaign(resources, code)
    except Deferred as error:
        raise Unavailable("the offer cannot be put on sale yet; nothing was stored") from error


def _check_same(known: Row[Any], offer: Row[Any] | None, operation: Operation) -> None:
    if offer is None or (known.offer, known.delta) != (offer.id, operation.delta):
        raise _reused(operation.id)


def _reused(operation_id: str) -> Conflict:
    return Conflict(
        f"{operation_id} was used for another change",
        code="operation_id_reused",
        field="operation_id",
    )


def record(connection: Connection, stored: Stored, operations: list[Operation]) -> None:
    """Write operations on seeded offers down as pending; raises take effect in the ledger at once.

    Raises:
        Invalid: a product has too little free stock, or the stock would grow out of range.
    """
    for operation in sorted(operations, key=lambda each: each.sku):
        offer = stored.offers[operation.sku]
        if offer.stock + operation.delta > STOCK_MAX:
            raise Invalid.one(operation.path, "too_large", f"the stock may be at most {STOCK_MAX}")
        if operation.delta > 0:
            if catalog.reserve(connection, {operation.sku: operation.delta}):
                product = catalog.find(connection, [operation.sku]).get(operation.sku)
                free = product.stock - product.reserved if product is not None else 0
                raise catalog.not_enough(operation.path, free)
            raised = offers.c.stock + operation.delta
            # Several buckets are always given new numbers; one takes up those again that a cut took off sale.
            unit_cap = case(
                (offers.c.buckets > 1, offers.c.unit_cap + operation.delta),
                (offers.c.unit_cap < raised, raised),
                else_=offers.c.unit_cap,
            )
            connection.execute(
                update(offers).where(offers.c.id == offer.id).values(stock=raised, unit_cap=unit_cap)
            )
        connection.execute(
            insert(stock_operations).values(
                operation_id=operation.id,
                offer=offer.id,
                epoch=offer.epoch,
                delta=operation.delta,
                state="pending",
                created_at_ms=now_ms(connection),
            )
        )


def finish(resources: Resources, operation_id: str) -> Row[Any]:
    """Bring a pending operation to its end, and return it as it stands.

    Raises:
        Deferred: Redis could not follow; the publisher goes on trying.
    """
    try:
        return steadily(resources, lambda: apply(resources, operation_id))
    except FAILURES as error:
        _log.warning("stock operation %s is stored and not yet applied: %s", operation_id, error)
        raise deferred(error) from error


def apply(resources: Resources, operation_id: str) -> Row[Any]:
    """Take one attempt at an operation, holding it so that nobody else decides it differently.

    Raises:
        Lost: Redis lacks the offer. RedisError: Redis cannot be reached.
    """
    resources.redis.ping()
    with writing(resources.engine) as connection:
        row = _find(connection, operation_id, lock=True)
        assert row is not None
        if row.state != "pending":
            return row
        change = adjust_stock(
            resources.redis, row.offer, row.epoch, operation_id, row.delta, lease_ms=resources.lease_ms
        )
        if change is None:
            raise Lost(row.offer)
        if not change.applied:
            _settle(connection, row, state="refused", lowest=change.lowest)
        else:
            if row.delta < 0:
                _cut(connection, row)
            _settle(connection, row, state="applied", stock=change.stock, left=change.left)
        settled = _find(connection, operation_id)
    assert settled is not None
    # With the row free again: the operator is answered when the next click finds the units.
    time.sleep(change.hold_ms / 1000)
    return settled


def _cut(connection: Connection, row: Row[Any]) -> None:
    # The product before the offer, as everywhere: two transactions that want both cannot wait for each other.
    sku = connection.execute(select(offers.c.sku).where(offers.c.id == row.offer)).scalar_one()
    catalog.give_back(connection, {sku: -row.delta})
    connection.execute(update(offers).where(offers.c.id == row.offer).values(stock=offers.c.stock + row.delta))


def _settle(connection: Connection, row: Row[Any], **values: Any) -> None:
    connection.execute(
        update(stock_operations).where(stock_operations.c.operation_id == row.operation_id).values(**values)
    )


def _find(connection: Connection, operation_id: str, *, lock: bool = False) -> Row[Any] | None:
    statement = select(stock_operations).where(stock_operations.c.operation_id == operation_id)
    return connection.execute(statement.with_for_update() if lock else statement).one_or_none()


def pending(resources: Resources, limit: int) -> list[str]:
    """Operations that are not finished, oldest first."""
    with reading(resources.engine) as connection:
        return list(
            connection.execute(
                select(stock_operations.c.operation_id)
                .where(stock_operations.c.state == "pending")
                .order_by(stock_operations.c.created_at_ms, stock_operations.c.operation_id)
                .limit(limit)
            ).scalars()
        )


def answer(row: Row[Any]) -> StockReply:
    """What the operator hears of a finished operation, now and whenever it is repeated.

    Raises:
        Conflict: the cut went below what is held.
    """
    if row.state == "refused":
        raise Conflict(
            f"shoppers hold {row.lowest} units of {row.offer}, so its stock cannot go lower",
            code="below_held",
            lowest=row.lowest,
            offer=row.offer,
        )
    return StockReply(
        operation_id=row.operation_id, offer=row.offer, delta=row.delta, stock=row.stock, left=row.left
    )

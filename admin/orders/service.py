"""Reading the ledger and the dead-letter streams."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import Connection, Row, and_, or_, select

from admin.errors import Invalid, NotFound
from admin.inputs import QueryText
from admin.paging import Page, read_cursor, split, write_cursor
from admin.resources import Resources
from gateway import keys
from gateway.orders.database import reading
from gateway.orders.tables import order_units, orders

Status = Literal["pending", "paid", "shipped", "completed", "refunding", "cancelled", "expired", "refunded"]


class OrderFilter(Page):
    """Which orders to show."""

    offer: QueryText | None = None
    shopper: QueryText | None = None
    status: Status | None = None


class Order(BaseModel):
    """An order. `units` are the unit numbers it holds now, `units_released` those it has given back."""

    order_no: str
    offer: str
    campaign: str
    sku: str
    shopper: str
    units: list[int]
    units_released: list[int]
    quantity: int
    price: int
    total: int
    currency: str
    status: Status
    created_at: str
    expire_at: str
    won_at: str
    pay_by: str


class OrderPage(BaseModel):
    """Orders, newest first."""

    items: list[Order]
    next: str | None


class DeadLetter(BaseModel):
    """A winner that could not be written, with the reason. `ticket` is the stream's own text."""

    id: str
    entry: str
    shopper: str
    ticket: str
    offer: str
    epoch: int
    reason: str


class DeadLetterPage(BaseModel):
    """Dead letters, newest first."""

    items: list[DeadLetter]
    next: str | None


def page(resources: Resources, wanted: OrderFilter) -> OrderPage:
    """A page of orders.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, int, str)
    statement = (
        select(orders).order_by(orders.c.created_at_ms.desc(), orders.c.order_no.desc()).limit(wanted.limit + 1)
    )
    if position is not None:
        at, order_no = position
        statement = statement.where(
            or_(orders.c.created_at_ms < at, and_(orders.c.created_at_ms == at, orders.c.order_no < order_no))
        )
    for name in ("offer", "shopper", "status"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(orders.c[name] == value)
    with reading(resources.engine) as connection:
        shown, last = split(connection.execute(statement).all(), wanted.limit)
        items = _views(resources, connection, shown)
    return OrderPage(
        items=items, next=write_cursor(last.created_at_ms, last.order_no) if last is not None else None
    )


def read(resources: Resources, order_no: str) -> Order:
    """One order.

    Raises:
        NotFound: there is none with this number.
    """
    with reading(resources.engine) as connection:
        rows = connection.execute(select(orders).where(orders.c.order_no == order_no)).all()
        if not rows:
            raise NotFound(f"there is no order {order_no}")
        return _views(resources, connection, rows)[0]


def _views(resources: Resources, connection: Connection, rows: Sequence[Row[Any]]) -> list[Order]:
    units: dict[str, tuple[list[int], list[int]]] = {row.order_no: ([], []) for row in rows}
    for unit in connection.execute(
        select(order_units).where(order_units.c.order_no.in_(list(units))).order_by(order_units.c.unit)
    ):
        held, released = units[unit.order_no]
        (held if unit.active else released).append(unit.unit)
    return [
        Order(
            order_no=row.order_no,
            offer=row.offer,
            campaign=row.campaign,
            sku=row.sku,
            shopper=row.shopper,
            units=units[row.order_no][0],
            units_released=units[row.order_no][1],
            quantity=row.quantity,
            price=row.price,
            total=row.total,
            currency=row.currency,
            status=row.status,
            created_at=resources.iso(row.created_at_ms),
            expire_at=resources.iso(row.expire_at_ms),
            won_at=resources.iso(row.won_at_ms),
            pay_by=resources.iso(row.pay_by_ms),
        )
        for row in rows
    ]


def dead_letters(resources: Resources, wanted: Page) -> DeadLetterPage:
    """A page of winners that could not be written, shard after shard.

    Raises:
        Invalid: the cursor is not one of this list.
        RedisError: Redis cannot be reached.
    """
    position = read_cursor(wanted.cursor, int, str)
    start_shard, start_id = (0, "+") if position is None else (int(position[0]), f"({position[1]}")
    if position is not None and re.fullmatch(r"\d{1,20}-\d{1,20}", str(position[1]), re.ASCII) is None:
        raise Invalid.one("cursor", "bad_cursor", "want the `next` of an earlier page of this list")
    found: list[tuple[int, DeadLetter]] = []
    for shard in keys.shards():
        if shard < start_shard or len(found) > wanted.limit:
            continue
        newest = start_id if shard == start_shard else "+"
        entries: Any = resources.redis.xrevrange(
            keys.dead(shard), max=newest, min="-", count=wanted.limit + 1 - len(found)
        )
        found += [(shard, _letter(entry_id, fields)) for entry_id, fields in entries]
    shown, last = split(found, wanted.limit)
    return DeadLetterPage(
        items=[letter for _, letter in shown],
        next=write_cursor(last[0], last[1].id) if last is not None else None,
    )


def _letter(entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    def text(name: str) -> str:
        return fields.get(name.encode(), b"").decode("utf-8", "replace")

    return DeadLetter(
        id=entry_id.decode(),
        entry=text("entry"),
        shopper=text("shopper"),
        ticket=text("ticket"),
        offer=text("offer"),
        epoch=int(text("epoch") or 0),
        reason=text("reason"),
    )

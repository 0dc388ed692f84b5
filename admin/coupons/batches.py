"""Batches of codes of which each works once: ordered, read, and exported. `making.py` makes them."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from sqlalchemy import Engine, Row, and_, case, func, insert, select, tuple_

from admin.audit import service as audit
from admin.coupons.models import Batch, BatchPage, CodesWish
from admin.coupons.states import require, state_of
from admin.coupons.tables import coupon_batches, coupon_codes, coupons
from admin.errors import Conflict, NotFound
from admin.inputs import check
from admin.paging import Page, read_cursor, split, write_cursor
from admin.reservations.tables import tallies
from admin.resources import Resources
from admin.sheets.cells import guard
from gateway.orders.database import now_ms, reading, writing

SPOOLED_BYTES = 1024 * 1024
"""A file of codes waits in memory up to this size, and in a temporary file beyond it."""
_TOGETHER = 1000


def order(resources: Resources, coupon: str, body: object, *, actor: str) -> Batch:
    """Have codes made for a coupon that is not over.

    Raises:
        Invalid, NotFound, Conflict: as `begin`.
    """
    return _view(resources, begin(resources.engine, coupon, body, actor=actor))


def begin(engine: Engine, coupon: str, body: object, *, actor: str) -> Mapping[str, Any]:
    """Write down that codes are wanted; the row of the batch.

    Raises:
        Invalid: with every problem of the input.
        NotFound: there is no such coupon.
        Conflict: it is over.
    """
    given = check(CodesWish, body)
    with writing(engine) as connection:
        row = connection.execute(select(coupons).where(coupons.c.code == coupon).with_for_update()).one_or_none()
        if row is None:
            raise NotFound(f"there is no coupon {coupon}")
        now = now_ms(connection)
        require(state_of(row, now), ("not_started", "running"), "get codes")
        batch = {
            "id": secrets.token_hex(8),
            "coupon": coupon,
            "prefix": given.prefix,
            "count": given.count,
            "made": 0,
            "requested_by": actor,
            "created_at_ms": now,
        }
        connection.execute(insert(coupon_batches).values(batch))
        after = {name: batch[name] for name in ("id", "count", "prefix")}
        audit.record(connection, actor, "codes", "coupon", coupon, after=after)
    return batch


def page(resources: Resources, coupon: str, wanted: Page) -> BatchPage:
    """A page of a coupon's batches, newest first.

    Raises:
        NotFound: there is no such coupon.
        Invalid: the cursor is not one of this list.
    """
    key = tuple_(coupon_batches.c.created_at_ms, coupon_batches.c.id)
    position = read_cursor(wanted.cursor, int, str)
    statement = select(coupon_batches).where(coupon_batches.c.coupon == coupon)
    if position is not None:
        statement = statement.where(key < tuple_(*position))
    statement = statement.order_by(coupon_batches.c.created_at_ms.desc(), coupon_batches.c.id.desc())
    with reading(resources.engine) as connection:
        if connection.execute(select(coupons.c.code).where(coupons.c.code == coupon)).one_or_none() is None:
            raise NotFound(f"there is no coupon {coupon}")
        rows, last = split(connection.execute(statement.limit(wanted.limit + 1)).all(), wanted.limit)
    items = [_view(resources, row._asdict()) for row in rows]
    return BatchPage(items=items, next=None if last is None else write_cursor(last.created_at_ms, last.id))


def read(resources: Resources, coupon: str, batch: str) -> Batch:
    """One batch, with how far it is.

    Raises:
        NotFound: the coupon has no such batch.
    """
    return _view(resources, _find(resources.engine, coupon, batch)._asdict())


def export(engine: Engine, coupon: str, batch: str) -> IO[bytes]:
    """A finished batch as CSV, in a file to be closed by the caller: code, what became of it, and whose it is.

    Raises:
        NotFound: the coupon has no such batch.
        Conflict: its codes are still being made.
    """
    found = _find(engine, coupon, batch)
    if found.made < found.count:
        raise Conflict(
            f"{found.made} of {found.count} codes are made: ask again in a moment",
            code="not_ready",
            made=found.made,
            count=found.count,
        )
    file: IO[bytes] = SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - the caller closes it
    text = io.TextIOWrapper(file, "utf-8", newline="")
    write = csv.writer(text).writerow
    write(["code", "state", "shopper"])
    of_code = and_(tallies.c.kind == "coupon_code", tallies.c.subject == coupon_codes.c.code)
    state = case(
        (tallies.c.committed > 0, "used"),
        (tallies.c.reserved > 0, "reserved"),
        (coupon_codes.c.shopper.is_not(None), "claimed"),
        else_="free",
    )
    codes = (
        select(
            coupon_codes.c.code, state.label("state"), func.coalesce(coupon_codes.c.shopper, "").label("shopper")
        )
        .select_from(coupon_codes.outerjoin(tallies, of_code))
        .where(coupon_codes.c.batch == batch)
        .order_by(coupon_codes.c.code)
    )
    with reading(engine) as connection:
        for row in connection.execute(codes, execution_options={"yield_per": _TOGETHER}):
            write([row.code, row.state, guard(row.shopper)])
    text.detach()
    return file


def _find(engine: Engine, coupon: str, batch: str) -> Row[Any]:
    with reading(engine) as connection:
        row = connection.execute(
            select(coupon_batches).where(coupon_batches.c.coupon == coupon, coupon_batches.c.id == batch)
        ).one_or_none()
    if row is None:
        raise NotFound(f"the coupon {coupon} has no batch {batch}")
    return row


def _view(resources: Resources, row: Mapping[str, Any]) -> Batch:
    about = {name: row[name] for name in Batch.model_fields if name != "created_at"}
    return Batch(**about, created_at=resources.iso(row["created_at_ms"]))

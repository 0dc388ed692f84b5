"""Erasing a shopper's personal data: `seckill erase`.

What is only about the shopper (address, member record, quotes, cart, reminders, notices, dead letters) is deleted.
What the shop must keep (orders, units, money) stays to the cent, under a random pseudonym that is written down
nowhere beside the shopper.

Every step may be repeated: the ledger is changed in one transaction, and Redis is brought to what the ledger
says then, found by order number. A crash in between is finished by running the command again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from admin import migrations
from admin.audit.tables import audit
from admin.carts.tables import carts
from admin.coupons.tables import coupon_claims, coupon_codes
from admin.groups.tables import groups
from admin.members.tables import members
from admin.memberships.tables import membership_grants
from admin.notices.tables import notices
from admin.payments.tables import refunds
from admin.privacy import traces
from admin.quotes.tables import quotes
from admin.reminders.tables import reminders
from admin.reservations.tables import reservations, tallies
from gateway import store
from gateway.errors import SeckillError, SettingsError
from gateway.orders.database import open_engine, reading, writing
from gateway.orders.pacing import one_line
from gateway.orders.tables import order_events, order_units, orders, unit_releases
from gateway.settings import Settings

OPEN_STATES = ("pending", "deposit_paid", "balance_due", "awaiting_group", "paid", "refunding")
"""Orders in these states still need their shopper."""
OPEN_REFUNDS = ("requested", "sending")
NAMED_MAX = 5
"""Obstacles told in one sentence."""
TOGETHER = 500
NAMING = (
    coupon_claims.c.shopper,
    coupon_codes.c.shopper,
    membership_grants.c.shopper,
    reservations.c.owner,
    tallies.c.owner,
    groups.c.leader,
)
"""Besides orders, what the shop counts on and cannot delete."""
_TELLING = ("address", "tracking_no")
"""Facts in histories and logs that lead to a person."""


class CannotErase(SeckillError):
    """The shopper is still needed; the text says for what."""

    def __init__(self, obstacles: Sequence[str]) -> None:
        shown = "; ".join(obstacles[:NAMED_MAX])
        more = f"; and {len(obstacles) - NAMED_MAX} more" if len(obstacles) > NAMED_MAX else ""
        super().__init__(f"nothing was erased: {shown}{more}")


@dataclass(frozen=True, slots=True)
class Erased:
    """How many of each there were."""

    orders: int = 0
    coupon_claims: int = 0
    reminders: int = 0
    notices: int = 0
    members: int = 0
    quotes: int = 0
    carts: int = 0
    buyer_records: int = 0
    dead_letters: int = 0
    stream_entries: int = 0

    def __str__(self) -> str:
        counts = [(getattr(self, each.name), each.name.replace("_", " ")) for each in fields(self)]
        told = ", ".join(f"{count} {name}" for count, name in counts if count)
        return f"erased: {told}" if told else "there was nothing to erase"


def run(settings: Settings, shopper: str) -> Erased:
    """`erase` at the configured stores.

    Raises:
        CannotErase: the shopper is still needed.
        SettingsError: a store cannot be used, or lacks the newest schema.
    """
    try:
        engine = open_engine(settings.database_url)
        redis = store.connect(settings.redis_url)
        with closing(redis):
            try:
                _require_schema(engine)
                return erase(engine, redis, shopper)
            finally:
                engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {one_line(error)}") from error
    except RedisError as error:
        raise SettingsError(f"SECKILL_REDIS_URL cannot be used: {one_line(error)}") from error


def _require_schema(engine: Engine) -> None:
    with reading(engine) as connection:
        lacking = migrations.lacks(connection)
    if lacking is not None:
        raise SettingsError(lacking)


def erase(engine: Engine, redis: Redis, shopper: str) -> Erased:
    """Erase what leads to a shopper.

    Raises:
        CannotErase: orders of theirs are open, or a sale in which they have a ticket is not over. Nothing changed.
        RedisError, SQLAlchemyError: a store is away; run it again.
    """
    with reading(engine) as connection:
        ids = traces.offers_of_ledger(connection)
    records = traces.buyer_records(redis, ids, shopper)
    with reading(engine) as connection:
        _require_over(connection, records)
    orders_changed, gone = _change_ledger(engine, shopper)
    with reading(engine) as connection:
        names = _names(connection, (number for each in records for number in each.order_numbers))
    return Erased(
        orders=orders_changed,
        **gone,
        buyer_records=traces.rename(redis, records, shopper, names),
        dead_letters=traces.delete_dead_letters(redis, shopper),
        stream_entries=traces.delete_settled_entries(redis, shopper) + traces.delete_reminders(redis, shopper),
    )


def _require_over(connection: Connection, records: Sequence[traces.Record]) -> None:
    running = [f"the sale of {each.offer} is not over and they hold a ticket" for each in records if each.running]
    written = _names(connection, (number for each in records for number in each.order_numbers))
    unwritten = [
        f"order {number} of {each.offer} is not in the ledger: wait for the writer, or ask `seckill reconcile`"
        for each in records
        for number in each.order_numbers
        if number not in written
    ]
    if running or unwritten:
        raise CannotErase(running + unwritten)


def _names(connection: Connection, order_numbers: Iterable[str]) -> dict[str, str]:
    """Whose orders these are, by number."""
    found: dict[str, str] = {}
    for piece in _pieces(list(order_numbers)):
        rows = connection.execute(select(orders.c.order_no, orders.c.shopper).where(orders.c.order_no.in_(piece)))
        found |= {row.order_no: row.shopper for row in rows}
    return found


def _change_ledger(engine: Engine, shopper: str) -> tuple[int, dict[str, int]]:
    pseudonym = f"erased-{secrets.token_hex(16)}"
    with writing(engine) as connection:
        rows = connection.execute(
            select(orders.c.order_no, orders.c.status)
            .where(orders.c.shopper == shopper)
            .order_by(orders.c.order_no)
            .with_for_update()
        ).all()
        numbers = [row.order_no for row in rows]
        obstacles = [f"order {row.order_no} is {row.status}" for row in rows if row.status in OPEN_STATES]
        for piece in _pieces(numbers):
            obstacles += _under_way(connection, piece)
        if obstacles:
            raise CannotErase(obstacles)
        for piece in _pieces(numbers):
            _change_orders(connection, piece, shopper, pseudonym)
        renamed = {
            column.table.name: connection.execute(
                update(column.table).where(column == shopper).values({column: pseudonym})
            ).rowcount
            for column in NAMING
        }
        # Those that were ordered can still be computed again; they name nobody else.
        connection.execute(
            update(quotes)
            .where(quotes.c.shopper == shopper, quotes.c.order_no.is_not(None))
            .values(shopper=pseudonym)
        )
        gone = {
            table.name: connection.execute(delete(table).where(table.c.shopper == shopper)).rowcount
            for table in (reminders, notices, members, quotes, carts)
        }
        connection.execute(
            update(audit)
            .where(audit.c.kind == "member", audit.c.subject == shopper)
            .values(subject=pseudonym, before=None, after=None)
        )
    return len(numbers), {**gone, coupon_claims.name: renamed[coupon_claims.name]}


def _under_way(connection: Connection, numbers: Sequence[str]) -> Iterator[str]:
    for number in connection.execute(
        select(refunds.c.order_no).where(refunds.c.order_no.in_(numbers), refunds.c.state.in_(OPEN_REFUNDS))
    ).scalars():
        yield f"a refund of order {number} is under way"
    for number in connection.execute(
        select(unit_releases.c.order_no).where(
            unit_releases.c.order_no.in_(numbers), unit_releases.c.done_at_ms.is_(None)
        )
    ).scalars():
        yield f"units of order {number} are on their way back to Redis: try again"


def _change_orders(connection: Connection, numbers: Sequence[str], shopper: str, pseudonym: str) -> None:
    connection.execute(
        update(orders)
        .where(orders.c.order_no.in_(numbers))
        .values(shopper=pseudonym, address=None, tracking_no=None, note=None)
    )
    for table in (order_units, unit_releases):
        connection.execute(update(table).where(table.c.order_no.in_(numbers)).values(shopper=pseudonym))
    for event in connection.execute(select(order_events).where(order_events.c.order_no.in_(numbers))).all():
        detail = _without(event.detail, shopper, pseudonym)
        if detail != event.detail:
            connection.execute(update(order_events).where(order_events.c.id == event.id).values(detail=detail))
    for row in connection.execute(select(audit).where(audit.c.kind == "order", audit.c.subject.in_(numbers))).all():
        before, after = (_without(each, shopper, pseudonym) for each in (row.before, row.after))
        if (before, after) != (row.before, row.after):
            connection.execute(update(audit).where(audit.c.id == row.id).values(before=before, after=after))


def _without(value: Any, shopper: str, pseudonym: str) -> Any:
    """JSON with the shopper's name changed and telling facts emptied."""
    if isinstance(value, dict):
        return {
            name: None if name in _TELLING else _without(part, shopper, pseudonym) for name, part in value.items()
        }
    if isinstance(value, list):
        return [_without(part, shopper, pseudonym) for part in value]
    return pseudonym if value == shopper else value


def _pieces(numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(numbers), TOGETHER):
        yield numbers[start : start + TOGETHER]

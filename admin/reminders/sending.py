"""Due reminders: first a notice, in the database; then a message on the mailer's stream, in Redis. Each once.

::

    waiting ──▶ sending ──▶ sent          sending: the notice is there, the stream may not have it yet
       ╰──────▶ dropped                   with the reason: the offer will not start any more

The notice and the step to `sending` are one transaction; the script passes over what it was given before. So a
crash at any point, and any number of processes at once, repeat nothing and lose nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgpack
import orjson
from sqlalchemy import Connection, Row, String, cast, delete, exists, literal, or_, select, update

from admin.notices.tables import notices
from admin.notices.telling import Told, notify_all
from admin.reminders.tables import reminders
from admin.resources import Resources
from gateway import keys, scripts
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers

KIND: Final = "reminder"
STREAM_KEEP_MS = 7 * 24 * 3_600_000
"""Age at which a message that no mailer has deleted goes, and with it the mark that it was given."""
TOGETHER = 200
"""Reminders in one transaction or one script call: few enough that others do not wait long."""


def notify(resources: Resources) -> int:
    """Write the notices of due reminders, one batch; how many reminders were looked at.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    with reading(resources.engine) as connection:
        # SQLite has one right to write, and nobody should wait for it without need.
        if not connection.execute(_due(now_ms(connection), 1)).first():
            return 0
    with writing(resources.engine) as connection:
        now = now_ms(connection)
        rows = connection.execute(_due(now, TOGETHER).with_for_update(of=reminders, skip_locked=True)).all()
        by_verdict: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in rows:
            by_verdict[_verdict(row, now)].append(row)
        for row in by_verdict.pop("moved", ()):
            _step(connection, [row], due_at_ms=row.starts_at_ms - row.before_ms)
        due = by_verdict.pop("due", [])
        going = set(_step(connection, due, state="sending"))
        notify_all(connection, [_notice(resources, row, now) for row in due if row.id in going])
        for reason, dropped in by_verdict.items():
            _step(connection, dropped, state="dropped", reason=reason)
    return len(rows)


def _due(now: int, limit: int) -> Any:
    return (
        select(
            reminders,
            offers.c.id.label("found"),
            offers.c.state.label("offer_state"),
            offers.c.starts_at_ms,
            offers.c.ends_at_ms,
            offers.c.campaign,
            offers.c.price,
            offers.c.card,
        )
        .outerjoin(offers, offers.c.id == reminders.c.offer)
        .where(
            reminders.c.state == "waiting",
            reminders.c.due_at_ms <= now,
            # Nobody is called to a sale that is paused; it may be resumed, or run out.
            or_(offers.c.id.is_(None), offers.c.state != "paused", offers.c.ends_at_ms <= now),
        )
        .order_by(reminders.c.due_at_ms, reminders.c.id)
        .limit(limit)
    )


def _verdict(row: Row[Any], now: int) -> str:
    """What becomes of a reminder whose time has come: due, moved, or the reason why it is dropped."""
    if row.found is None:
        return "removed"
    if row.offer_state == "terminated":
        return "terminated"
    if row.ends_at_ms <= now:
        return "ended"
    return "due" if row.starts_at_ms - row.before_ms <= now else "moved"


def _step(connection: Connection, rows: Sequence[Row[Any]], **values: Any) -> list[int]:
    """Change reminders that still wait; the ids of those that did."""
    if not rows:
        return []
    return list(
        connection.execute(
            update(reminders)
            .where(reminders.c.id.in_([row.id for row in rows]), reminders.c.state == "waiting")
            .values(**values)
            .returning(reminders.c.id)
        ).scalars()
    )


def _notice(resources: Resources, row: Row[Any], now: int) -> Told:
    card = orjson.loads(row.card)
    data = {
        "offer": row.offer,
        "campaign": row.campaign,
        "sku": card["sku"],
        "name": card["name"],
        "price": row.price,
        "currency": card["currency"],
        "starts_at": resources.iso(row.starts_at_ms),
    }
    return row.shopper, KIND, data, f"{KIND}:{row.id}", now


def announce(resources: Resources) -> tuple[int, int]:
    """Put what has its notice on the mailer's stream, one batch; how many were given, how many had no room.

    Raises:
        SQLAlchemyError, RedisError: a store cannot be used; what was not marked is given again and passed over.
    """
    cause = literal(f"{KIND}:").concat(cast(reminders.c.id, String))
    with reading(resources.engine) as connection:
        rows = connection.execute(
            select(reminders.c.id, reminders.c.shopper, reminders.c.offer, notices.c.data)
            .join(notices, notices.c.cause == cause)
            .where(reminders.c.state == "sending")
            .order_by(reminders.c.id)
            .limit(TOGETHER)
        ).all()
    if not rows:
        return 0, 0
    batch = [(str(row.id), row.shopper, row.offer, orjson.dumps(row.data).decode()) for row in rows]
    _, given = scripts.load("remind").call(
        resources.redis,
        {"stream": keys.reminders(), "given": keys.reminded()},
        {
            "reminders": msgpack.packb(batch),
            "keep_ms": STREAM_KEEP_MS,
            "length_max": resources.settings.reminder_stream_max,
        },
    )
    with writing(resources.engine) as connection:
        connection.execute(
            update(reminders)
            .where(reminders.c.id.in_([row.id for row in rows[:given]]), reminders.c.state == "sending")
            .values(state="sent")
        )
    return given, len(rows) - given


def forget_old(resources: Resources) -> None:
    """Delete some of the notices and finished reminders that nobody looks at any more.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    with reading(resources.engine) as connection:
        before_ms = now_ms(connection) - resources.settings.notices_keep_s * 1000
        finished = reminders.c.state.in_(("sent", "dropped")), reminders.c.due_at_ms < before_ms
        oldest = select(notices.c.id).order_by(notices.c.id).limit(TOGETHER)
        # A notice that is still on its way to the stream stays.
        on_its_way = exists().where(reminders.c.state == "sending", reminders.c.shopper == notices.c.shopper)
        old = notices.c.id.in_(oldest), notices.c.created_at_ms < before_ms, ~on_its_way
        some_reminders = list(connection.execute(select(reminders.c.id).where(*finished).limit(TOGETHER)).scalars())
        some_notices = list(connection.execute(select(notices.c.id).where(*old)).scalars())
    if some_reminders or some_notices:
        with writing(resources.engine) as connection:
            connection.execute(delete(reminders).where(reminders.c.id.in_(some_reminders)))
            connection.execute(delete(notices).where(notices.c.id.in_(some_notices)))

"""What shoppers do with reminders: ask for one, look, withdraw."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from admin.campaigns.tables import offer_removals
from admin.errors import Conflict, NotFound
from admin.inputs import check
from admin.paging import Page, newest_of
from admin.reminders.models import Reminder, ReminderInput, ReminderPage
from admin.reminders.tables import reminders
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import offers

ID_MAX = 2**63 - 1
"""Largest number of a row."""


def ask(resources: Resources, shopper: str, body: Any) -> Reminder:
    """Remind a shopper of an offer. Asking again changes the time; after it was sent it is a new reminder.

    Raises:
        Invalid: the body breaks a rule.
        NotFound: there is no such offer.
        Conflict: the offer has started or is over, or the shopper has too many reminders waiting.
    """
    wanted = check(ReminderInput, body)
    try:
        return _ask(resources, shopper, wanted)
    except IntegrityError:
        # The same shopper asked for the same offer at the same moment; that one is there now.
        return _ask(resources, shopper, wanted)


def _ask(resources: Resources, shopper: str, wanted: ReminderInput) -> Reminder:
    mine = reminders.c.shopper == shopper
    this = mine & (reminders.c.offer == wanted.offer)
    with writing(resources.engine) as connection:
        now = now_ms(connection)
        # An edit of the campaign waits for this share lock, and then finds the reminder that it has to move.
        offer = _offer_to_come(connection, wanted.offer, now)
        due_at_ms = offer.starts_at_ms - wanted.before_s * 1000
        changed = connection.execute(
            update(reminders)
            .where(this, reminders.c.state == "waiting")
            .values(before_ms=wanted.before_s * 1000, due_at_ms=due_at_ms)
        ).rowcount
        if not changed:
            connection.execute(delete(reminders).where(this, reminders.c.state != "waiting"))
            _require_room(connection, shopper, resources.settings.reminders_max)
            connection.execute(
                insert(reminders).values(
                    shopper=shopper,
                    offer=wanted.offer,
                    before_ms=wanted.before_s * 1000,
                    due_at_ms=due_at_ms,
                    state="waiting",
                    created_at_ms=now,
                )
            )
        row = connection.execute(select(reminders).where(this)).one()
    return _view(resources, row, offer)


def _offer_to_come(connection: Connection, offer: str, now: int) -> Row[Any]:
    row = connection.execute(
        select(offers)
        .where(offers.c.id == offer, ~exists().where(offer_removals.c.offer == offers.c.id))
        .with_for_update(read=True)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no offer {offer}")
    if row.state == "terminated" or row.ends_at_ms <= now:
        raise Conflict("the sale is over", code="offer_ended", offer=offer)
    if row.starts_at_ms <= now:
        raise Conflict("the sale has started already", code="offer_started", offer=offer)
    return row


def _require_room(connection: Connection, shopper: str, reminders_max: int) -> None:
    waiting = reminders.c.shopper == shopper, reminders.c.state == "waiting"
    # Requests of one shopper that come together wait here for each other, so none counts too few.
    connection.execute(select(reminders.c.id).where(*waiting).order_by(reminders.c.id).with_for_update())
    count = connection.execute(select(func.count()).select_from(reminders).where(*waiting)).scalar_one()
    if count >= reminders_max:
        raise Conflict(
            f"{reminders_max} reminders are waiting already: withdraw one first",
            code="too_many_reminders",
            limit=reminders_max,
        )


def page(resources: Resources, shopper: str, wanted: Page) -> ReminderPage:
    """A page of a shopper's reminders.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    shown, following = newest_of(resources.engine, reminders, shopper, wanted)
    with reading(resources.engine) as connection:
        rows = connection.execute(select(offers).where(offers.c.id.in_([row.offer for row in shown]))).all()
    there = {row.id: row for row in rows}
    return ReminderPage(items=[_view(resources, row, there.get(row.offer)) for row in shown], next=following)


def withdraw(resources: Resources, shopper: str, reminder: str) -> int:
    """Take a reminder back; the number of the one that is gone.

    Raises:
        NotFound: the shopper has no such reminder.
    """
    number = int(reminder) if reminder.isascii() and reminder.isdigit() and len(reminder) < 20 else ID_MAX
    with writing(resources.engine) as connection:
        gone = connection.execute(
            delete(reminders).where(reminders.c.shopper == shopper, reminders.c.id == min(number, ID_MAX))
        ).rowcount
    if not gone:
        raise NotFound("you have no such reminder")
    return number


def _view(resources: Resources, row: Row[Any], offer: Row[Any] | None) -> Reminder:
    card = {} if offer is None else orjson.loads(offer.card)
    return Reminder(
        id=row.id,
        offer=row.offer,
        before_s=row.before_ms // 1000,
        due_at=resources.iso(row.due_at_ms),
        state=row.state,
        reason=row.reason,
        created_at=resources.iso(row.created_at_ms),
        sku=card.get("sku"),
        name=card.get("name"),
        starts_at=None if offer is None else resources.iso(offer.starts_at_ms),
    )

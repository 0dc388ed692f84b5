"""What shoppers do with notices: look, and say that they have read them."""

from __future__ import annotations

from sqlalchemy import func, select, update

from admin.notices.models import Notice, NoticePage, NoticesRead
from admin.notices.tables import notices
from admin.paging import Page, newest_of
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing


def page(resources: Resources, shopper: str, wanted: Page) -> NoticePage:
    """A page of a shopper's notices.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    shown, following = newest_of(resources.engine, notices, shopper, wanted)
    return NoticePage(
        items=[
            Notice(
                id=row.id,
                kind=row.kind,
                data=row.data,
                created_at=resources.iso(row.created_at_ms),
                read_at=resources.iso_or_none(row.read_at_ms),
            )
            for row in shown
        ],
        next=following,
        unread=unread(resources, shopper),
    )


def unread(resources: Resources, shopper: str) -> int:
    """How many notices a shopper has not read."""
    statement = select(func.count()).where(notices.c.shopper == shopper, notices.c.read_at_ms.is_(None))
    with reading(resources.engine) as connection:
        return connection.execute(statement).scalar_one()


def read(resources: Resources, shopper: str, given: NoticesRead) -> int:
    """A shopper has read their notices up to one of them; how many are unread then."""
    with writing(resources.engine) as connection:
        connection.execute(
            update(notices)
            .where(notices.c.shopper == shopper, notices.c.id <= given.up_to, notices.c.read_at_ms.is_(None))
            .values(read_at_ms=now_ms(connection))
        )
    return unread(resources, shopper)

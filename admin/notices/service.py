"""What shoppers do with notices: look."""

from __future__ import annotations

from admin.notices.models import Notice, NoticePage
from admin.notices.tables import notices
from admin.paging import Page, newest_of
from admin.resources import Resources


def page(resources: Resources, shopper: str, wanted: Page) -> NoticePage:
    """A page of a shopper's notices.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    shown, following = newest_of(resources.engine, notices, shopper, wanted)
    return NoticePage(
        items=[
            Notice(id=row.id, kind=row.kind, data=row.data, created_at=resources.iso(row.created_at_ms))
            for row in shown
        ],
        next=following,
    )

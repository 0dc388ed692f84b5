"""The window of a campaign that takes place in a session: that session's hours on one date."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from admin.campaigns.stored import Readable
from admin.errors import FieldError
from admin.resources import Resources
from admin.sessions import service as sessions
from admin.sessions.occurrence import occurrence


def named(content: Readable) -> bool:
    """Whether a campaign takes place in a session."""
    return content.promotion.sold_by_gateway and content.rule.session is not None


def fit(resources: Resources, connection: Connection, content: Readable) -> tuple[Readable, list[FieldError]]:
    """The campaign in the window of its session, if it names one; and what is wrong with that."""
    if not named(content):
        return content, []
    session = content.rule.session
    row = sessions.find(connection, session.id)
    if row is None:
        text = f"there is no session {session.id}: create it first, or name another"
        return content, [FieldError("rule.session.id", "unknown_session", text)]
    starts_at, ends_at = occurrence(row, session.day, resources.zone)
    fields = content.fields
    errors = [
        FieldError(
            name,
            "not_the_session",
            f"the session {session.id} on {session.date} has {resources.iso(right)} here: want this, or nothing",
        )
        for name, given, right in (
            ("starts_at", fields.starts_at, starts_at),
            ("ends_at", fields.ends_at, ends_at),
        )
        if given is not None and given != right
    ]
    return replace(content, fields=fields.model_copy(update={"starts_at": starts_at, "ends_at": ends_at})), errors


def changes(before: Readable, after: Readable) -> bool:
    """Whether a change concerns the session of a campaign, or the window that it gives."""
    if not named(after):
        return False
    old, new = before.fields, after.fields
    return (before.rule.session, old.starts_at, old.ends_at) != (after.rule.session, new.starts_at, new.ends_at)

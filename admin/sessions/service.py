"""Sessions 場次: make, read, change, delete, and find for a campaign."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from admin.audit import service as audit
from admin.campaigns.states import LIVE, in_state
from admin.campaigns.tables import campaigns
from admin.errors import Conflict, Invalid, NotFound, StaleRevision
from admin.inputs import check
from admin.paging import read_cursor, split, write_cursor
from admin.resources import Resources
from admin.sessions.models import Session, SessionChange, SessionFilter, SessionInput, SessionPage
from admin.sessions.tables import sessions
from gateway.orders.database import now_ms, reading, writing

ID_MAX = 40
"""Longest id, characters."""


def create(resources: Resources, body: object, *, actor: str) -> Session:
    """Make a session.

    Raises:
        Invalid: with every problem of the input.
        Conflict: the id is taken.
    """
    given = check(SessionInput, body)
    _require_time(given.starts, given.ends)
    session_id = given.id or made_up(given.name, given.starts)
    try:
        with writing(resources.engine) as connection:
            now = now_ms(connection)
            values = {**given.model_dump(), "id": session_id, "revision": 1}
            connection.execute(insert(sessions).values(**values, created_at_ms=now, updated_at_ms=now))
            session = _view(resources, _row(connection, session_id))
            audit.record(connection, actor, "create", "session", session_id, after=session.model_dump())
    except IntegrityError as error:
        message = f"there is already a session {session_id}; give another id"
        raise Conflict(message, code="id_taken", field="id") from error
    return session


def made_up(name: str, starts: str) -> str:
    """An id from the Latin letters and digits of a name or, where it has none, from the start."""
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", latin)[:ID_MAX].strip("-")
    return words or f"at-{starts.replace(':', '')}"


def read(resources: Resources, session: str) -> Session:
    """One session.

    Raises:
        NotFound: there is none with this id.
    """
    with reading(resources.engine) as connection:
        return _view(resources, _row(connection, session))


def page(resources: Resources, wanted: SessionFilter) -> SessionPage:
    """A page of sessions by time of day.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    position = read_cursor(wanted.cursor, str, str)
    statement = select(sessions).order_by(sessions.c.starts, sessions.c.id).limit(wanted.limit + 1)
    if position is not None:
        starts, last_id = position
        later_id = (sessions.c.starts == starts) & (sessions.c.id > last_id)
        statement = statement.where(or_(sessions.c.starts > starts, later_id))
    with reading(resources.engine) as connection:
        rows = connection.execute(statement).all()
    shown, last = split(rows, wanted.limit)
    return SessionPage(
        items=[_view(resources, row) for row in shown],
        next=write_cursor(last.starts, last.id) if last is not None else None,
    )


def change(resources: Resources, session: str, body: object, *, actor: str, if_match: int | None = None) -> Session:
    """Change some fields of a session. Windows of campaigns that are published already stay.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem of the input.
    """
    given = check(SessionChange, body)
    values = given.model_dump(include=given.model_fields_set)
    with writing(resources.engine) as connection:
        row = _row(connection, session, lock=True)
        _check_revision(row, if_match)
        _require_time(values.get("starts", row.starts), values.get("ends", row.ends))
        before = _view(resources, row).model_dump()
        connection.execute(
            update(sessions)
            .where(sessions.c.id == session)
            .values(**values, revision=sessions.c.revision + 1, updated_at_ms=now_ms(connection))
        )
        changed = _view(resources, _row(connection, session))
        audit.record(connection, actor, "change", "session", session, before=before, after=changed.model_dump())
    return changed


def remove(resources: Resources, session: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a session that no campaign needs.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: a campaign that is published and not over takes place in it.
    """
    with writing(resources.engine) as connection:
        row = _row(connection, session, lock=True)
        _check_revision(row, if_match)
        now = now_ms(connection)
        uses = campaigns.c.terms[("rule", "session", "id")].as_string() == session
        live = or_(*(in_state(state, now) for state in LIVE))
        statement = select(campaigns.c.code).where(uses, live).order_by(campaigns.c.code).limit(1)
        campaign = connection.execute(statement).scalar_one_or_none()
        if campaign is not None:
            raise Conflict(
                f"the campaign {campaign} takes place in {session}; end it first",
                code="session_in_use",
                campaign=campaign,
            )
        connection.execute(delete(sessions).where(sessions.c.id == session))
        audit.record(connection, actor, "delete", "session", session, before=_view(resources, row).model_dump())


def find(connection: Connection, session: str) -> Row[Any] | None:
    """A session's row, for `occurrence`; None when there is none."""
    return connection.execute(select(sessions).where(sessions.c.id == session)).one_or_none()


def _require_time(starts: str, ends: str) -> None:
    if starts == ends:
        raise Invalid.one("ends", "empty_session", "must differ from starts; earlier means the next day")


def _row(connection: Connection, session: str, *, lock: bool = False) -> Row[Any]:
    statement = select(sessions).where(sessions.c.id == session)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound(f"there is no session {session}")
    return row


def _check_revision(row: Row[Any], if_match: int | None) -> None:
    if if_match is not None and if_match != row.revision:
        raise StaleRevision(f"{row.id} is at revision {row.revision}", revision=row.revision)


def _view(resources: Resources, row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        name=row.name,
        starts=row.starts,
        ends=row.ends,
        crosses_midnight=row.ends < row.starts,
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )

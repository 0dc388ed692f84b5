"""Sessions 場次: make, read, change, delete, and find for a campaign."""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from admin.campaigns.states import LIVE, in_state
from admin.campaigns.tables import campaigns
from admin.errors import Conflict, Invalid
from admin.inputs import check
from admin.records import Records, containing
from admin.resources import Resources
from admin.sessions.models import Session, SessionChange, SessionFilter, SessionInput, SessionPage
from admin.sessions.tables import sessions
from gateway.orders.database import now_ms, reading, writing

_SESSIONS = Records(
    "session", sessions, "id", ("starts", "id"), taken="there is already a {word} {key}; give another id"
)

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
    values = {**given.model_dump(), "id": given.id or made_up(given.name, given.starts)}
    with writing(resources.engine) as connection:
        return _SESSIONS.create(connection, values, partial(_view, resources), actor=actor)


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
        return _view(resources, _SESSIONS.find(connection, session))


def page(resources: Resources, wanted: SessionFilter) -> SessionPage:
    """A page of sessions.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    conditions = [] if wanted.q is None else [containing(wanted.q, sessions.c.id, sessions.c.name)]
    with reading(resources.engine) as connection:
        rows, following, total = _SESSIONS.page(connection, wanted, *conditions)
    return SessionPage(items=[_view(resources, row) for row in rows], next=following, total=total)


def change(resources: Resources, session: str, body: object, *, actor: str, if_match: int | None = None) -> Session:
    """Change some fields of a session. Windows of campaigns that are published already stay.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem of the input.
    """
    given = check(SessionChange, body)
    values = given.model_dump(include=given.model_fields_set)
    with writing(resources.engine) as connection:
        row = _SESSIONS.lock(connection, session, if_match)
        _require_time(values.get("starts", row.starts), values.get("ends", row.ends))
        return _SESSIONS.change(connection, row, values, partial(_view, resources), actor=actor)


def remove(resources: Resources, session: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a session that no campaign needs.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: a campaign that is published and not over takes place in it.
    """
    with writing(resources.engine) as connection:
        row = _SESSIONS.lock(connection, session, if_match)
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
        _SESSIONS.remove(connection, row, partial(_view, resources), actor=actor)


def find(connection: Connection, session: str) -> Row[Any] | None:
    """A session's row, for `occurrence`; None when there is none."""
    return connection.execute(select(sessions).where(sessions.c.id == session)).one_or_none()


def _require_time(starts: str, ends: str) -> None:
    if starts == ends:
        raise Invalid.one("ends", "empty_session", "must differ from starts; earlier means the next day")


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
